"""Host names of members, device ids, claim links and join codes."""

import re
from collections.abc import Collection
from ipaddress import IPv6Address
from secrets import choice, token_hex
from urllib.parse import urlsplit

HOSTNAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
RESERVED = frozenset({"localhost", "master"})
LONGEST = 63
# As in Husarnet's codes: without characters that are easily confused.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
CODE_LENGTH = 22
LINK = re.compile(r"/husarnet/([0-9a-f]{32})([0-9a-f]{24})/?")
LINK_SECRET_BYTES = 12


def is_hostname(name: object) -> bool:
    return (
        isinstance(name, str) and HOSTNAME.fullmatch(name) is not None and name not in RESERVED
    )


def free_name(wanted: str, taken: Collection[str]) -> str:
    """Return `wanted` as an RFC 1123 host name, numbered if it is already taken."""
    base = re.sub(r"[^a-z0-9-]+", "-", wanted.lower()).strip("-")[:LONGEST].strip("-")
    if not is_hostname(base):
        base = "device"
    if base not in taken:
        return base
    for number in range(2, len(taken) + 3):
        name = f"{base[: LONGEST - 6].rstrip('-')}-{number}"
        if name not in taken:
            return name
    raise AssertionError("more names are taken than there are")


def device_id(text: str) -> str:
    """Normalize an overlay address (RFC 5952). Raises ValueError if it is invalid.

    Husarnet's examples contain groups both with and without leading zeros.
    """
    address = IPv6Address(text.strip())
    if address.scope_id:
        raise ValueError("A device id has no zone.")
    return str(address)


def link(base: str, address: str, secret: str) -> str:
    return f"{base}/husarnet/{IPv6Address(address).packed.hex()}{secret}"


def parse_link(text: str) -> tuple[str, str, str]:
    """Split a claim link into host, address and secret. Raises ValueError if invalid."""
    parts = urlsplit(text.strip())
    found = LINK.fullmatch(parts.path.lower())
    if parts.scheme not in {"http", "https"} or found is None or not parts.hostname:
        raise ValueError(
            "A link is what the device printed: https://…/husarnet/ and 56 digits."
        )
    return parts.hostname, str(IPv6Address(bytes.fromhex(found[1]))), found[2]


def new_code() -> str:
    return "".join(choice(ALPHABET) for _ in range(CODE_LENGTH))


def new_link_secret() -> str:
    return token_hex(LINK_SECRET_BYTES)


def parse_code(text: str) -> tuple[str, str]:
    """Split a join code into relay address and secret. Raises ValueError if invalid."""
    relay, slash, secret = text.strip().partition("/")
    if not slash or not secret:
        raise ValueError("A join code is an address, a slash and 22 letters.")
    return device_id(relay), secret
