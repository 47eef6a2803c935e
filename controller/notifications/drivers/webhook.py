"""Requests to user-supplied URLs, protected against SSRF."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from controller.base.errors import Refused, Unreachable
from controller.base.outbound import Kind, http, policy_of
from controller.base.outbound.addresses import parsed
from controller.base.outbound.resolve import resolve

SECONDS = 10.0
WHOLE_SECONDS = 20.0
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Message:
    url: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def send(message: Message) -> int:
    """Return the status of the answer; raise Unreachable where there is none."""
    check_scheme(message.url)
    try:
        with (
            http.client(Kind.WEBHOOK, timeout=SECONDS, seconds=WHOLE_SECONDS) as client,
            client.stream(
                "POST", message.url, content=message.body, headers=message.headers
            ) as answer,
        ):
            return answer.status_code
    except (http.HTTPError, http.InvalidURL) as error:
        # The exception's text may contain the whole URL.
        raise Unreachable(f"It does not answer ({type(error).__name__}).") from None


def check_scheme(url: str) -> None:
    """Raise for an address without TLS that leads out of the networks that are named."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise Refused("A webhook's address starts with https://.")
    if parts.scheme == "https":
        return
    policy = policy_of(Kind.WEBHOOK)
    found = resolve(Kind.WEBHOOK, parts.hostname, parts.port or PORTS[parts.scheme])
    if not all((address := parsed(one)) and policy.includes(address) for one in found):
        raise Unreachable("Only https:// is sent to, outside of MUSTER_WEBHOOK_NETWORKS.")
