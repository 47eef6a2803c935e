"""Names of members, identifiers of devices, and the links and codes that speak of them."""

import re
from collections.abc import Collection
from ipaddress import IPv6Address
from secrets import choice, token_hex
from urllib.parse import urlsplit

HOSTNAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
RESERVED = frozenset({"localhost", "master"})
LONGEST = 63
# As in the codes of the original: nothing that is read as something else.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
CODE_LENGTH = 22
LINK = re.compile(r"/husarnet/([0-9a-f]{32})([0-9a-f]{24})/?")
LINK_SECRET_BYTES = 12


def is_hostname(name: object) -> bool:
    return (
        isinstance(name, str) and HOSTNAME.fullmatch(name) is not None and name not in RESERVED
    )


def free_name(wanted: str, taken: Collection[str]) -> str:
    """The wanted name, with a number where somebody has it; RFC 1123 as far as letters go."""
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
    """An overlay address in its one spelling (RFC 5952); ValueError for what is none.

    The examples of the original have groups with leading zeros, and without.
    """
    address = IPv6Address(text.strip())
    if address.scope_id:
        raise ValueError("A device id has no zone.")
    return str(address)


def link(base: str, address: str, secret: str) -> str:
    return f"{base}/husarnet/{IPv6Address(address).packed.hex()}{secret}"


def parse_link(text: str) -> tuple[str, str, str]:
    """Host, address and secret of a websetup link; ValueError for anything else."""
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
    """Relay and secret of a join code; ValueError for anything else."""
    relay, slash, secret = text.strip().partition("/")
    if not slash or not secret:
        raise ValueError("A join code is an address, a slash and 22 letters.")
    return device_id(relay), secret
