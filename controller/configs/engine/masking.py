"""Hiding secrets from those who may read a configuration but not its keys and passwords."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MASK = "••••••••"

SECRET_NAME = re.compile(
    r"(^|_)(key|psk|sae_password|password|passwd|passphrase|secret|token|pin)\d*$"
    r"|private|password|passphrase|secret"
    # Variables of VPN clients, which end in the id of their server.
    r"|(^|_)(pvt_key|key_contents)(_|$)",
    re.IGNORECASE,
)
# Long enough not to hide every "1" and "lan" of a file because a password is as short.
SHORTEST = 4
UCI_LINE = re.compile(r"^(\s*(?:option|list)\s+'?(\w+)'?\s+)'.*'$", re.MULTILINE)
PEM = re.compile(
    r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END [A-Z ]*PRIVATE KEY-----)", re.DOTALL
)
UCI_QUOTE = "'\\''"


def looks_secret(name: str) -> bool:
    """Whether a setting of this name holds a secret, as far as names can tell.

    >>> looks_secret("key"), looks_secret("wifi_password"), looks_secret("keyboard")
    (True, True, False)
    """
    return SECRET_NAME.search(name) is not None


def masked(data: Any, name: str = "") -> Any:
    """A copy of JSON data with the values of secret settings replaced."""
    if isinstance(data, Mapping):
        return {key: masked(value, str(key)) for key, value in data.items()}
    if isinstance(data, list):
        return [masked(item, name) for item in data]
    if isinstance(data, str):
        return MASK if data and looks_secret(name) else _without_pem(data)
    return data


def secrets_in(data: Any, name: str = "") -> Iterator[str]:
    """The secrets that JSON data holds."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from secrets_in(value, str(key))
    elif isinstance(data, list):
        for item in data:
            yield from secrets_in(item, name)
    elif isinstance(data, str) and looks_secret(name):
        yield data


def masked_text(text: str, secrets: Iterable[str] = ()) -> str:
    """A configuration file without private keys, secret options and these secrets."""
    text = _without_pem(text)
    # Longest first: one secret may be the beginning of another.
    for secret in sorted(
        {one for one in secrets if len(one) >= SHORTEST}, key=len, reverse=True
    ):
        for written in {secret, secret.replace("'", UCI_QUOTE)}:
            text = text.replace(written, MASK)

    def line(found: re.Match[str]) -> str:
        return f"{found[1]}'{MASK}'" if looks_secret(found[2]) else found[0]

    return UCI_LINE.sub(line, text)


def _without_pem(text: str) -> str:
    return PEM.sub(rf"\1\n{MASK}\n\2", text)
