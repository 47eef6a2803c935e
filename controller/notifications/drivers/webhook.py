"""Requests to user-supplied URLs, protected against SSRF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from socket import getaddrinfo
from urllib.parse import urlsplit

import httpx

from controller.base.errors import Refused, Unreachable

SECONDS = 10.0
PORTS = {"http": 80, "https": 443}
Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Message:
    url: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    # Private networks that are permitted, also without TLS.
    inside: Sequence[Network] = ()


def send(message: Message) -> int:
    """Send a message; return the status or raise :class:`Unreachable`.

    The address that was checked is the one connected to, and redirects are not followed.
    """
    parts = urlsplit(message.url)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    address = pinned(host, port, parts.scheme, message.inside)
    shown = f"[{address}]" if ":" in address else address
    path = parts.path or "/"
    target = f"{parts.scheme}://{shown}:{port}{path}" + (
        f"?{parts.query}" if parts.query else ""
    )
    headers = {**message.headers, "Host": parts.netloc.rpartition("@")[2]}
    try:
        with (
            httpx.Client(timeout=SECONDS, trust_env=False) as client,
            client.stream(
                "POST",
                target,
                content=message.body,
                headers=headers,
                # Host name for SNI and certificate verification.
                extensions={"sni_hostname": host},
            ) as answer,
        ):
            return answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # The exception's text may contain the whole URL.
        raise Unreachable(f"It does not answer ({type(error).__name__}).") from None


def pinned(host: str, port: int, scheme: str, inside: Sequence[Network]) -> str:
    """Return the address to connect to; raise if any resolved address is forbidden."""
    if scheme not in PORTS or not host:
        raise Refused("A webhook's address starts with https://.")
    try:
        found = [str(one[4][0]).partition("%")[0] for one in getaddrinfo(host, port)]
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"The name {host} is not known.") from error
    for text in found:
        address = ip_address(text)
        plain = getattr(address, "ipv4_mapped", None) or address
        if any(plain in network for network in inside):
            continue
        if not plain.is_global or plain.is_multicast:
            raise Unreachable(
                f"{host} is in a network of one's own; MUSTER_WEBHOOK_NETWORKS names those that "
                "may be sent to."
            )
        if scheme != "https":
            raise Unreachable("Only https:// is sent to, outside of MUSTER_WEBHOOK_NETWORKS.")
    return found[0]
