"""Checks of ``manage.py check --deploy`` for settings that work and are not safe."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.checks import Tags, Warning, register  # noqa: A004 - Django's name

SHORTEST_KEY = 24
FEWEST_CHARACTERS = 8
# Networks wider than these hold more than proxies.
WIDEST = {4: 8, 6: 32}


@register(Tags.security, deploy=True)
def check_settings(app_configs: Any, **kwargs: Any) -> list[Warning]:
    """Return a warning for each setting that is not safe in production."""
    return [*_weak_keys(), *_any_host(), *_wide_proxies()]


def _weak_keys() -> Iterator[Warning]:
    for number, key in enumerate(settings.MUSTER_ENCRYPTION_KEYS, 1):
        if len(key) < SHORTEST_KEY or len(set(key)) < FEWEST_CHARACTERS:
            yield Warning(
                f"Key {number} of MUSTER_ENCRYPTION_KEYS can be guessed.",
                hint=f"Use at least {SHORTEST_KEY} random characters, put first, and run "
                "manage.py rotate_secrets.",
                id="muster.W001",
            )


def _any_host() -> Iterator[Warning]:
    if "*" in settings.ALLOWED_HOSTS:
        yield Warning(
            "ALLOWED_HOSTS permits any host name: links in mails can lead elsewhere.",
            hint="Name the hosts by which the portal is reached.",
            id="muster.W002",
        )


def _wide_proxies() -> Iterator[Warning]:
    for one in settings.TRUSTED_PROXIES:
        if _is_wide(one):
            yield Warning(
                f"MUSTER_TRUSTED_PROXIES trusts {one}: its clients choose the address that "
                "limits and the audit see.",
                hint="Name the addresses of the reverse proxies.",
                id="muster.W003",
            )


def _is_wide(text: str) -> bool:
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        return True
    return network.prefixlen < WIDEST[network.version]
