"""One canonical text for each kind of value that people and devices spell in several ways.

Each function takes any usual spelling and returns the text that is stored, compared and shown, or
raises ValueError with a sentence.
"""

import re
import unicodedata
from ipaddress import ip_address, ip_network

MAC_DIGITS = re.compile(r"[0-9A-F]{12}")
MAC_SPELLING = re.compile(
    r"([0-9A-Fa-f]{2}([:-]))([0-9A-Fa-f]{2}\2){4}[0-9A-Fa-f]{2}"
    r"|([0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}|[0-9A-Fa-f]{12}"
)
LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
LONGEST_HOST = 253


def mac_address(text: str) -> str:
    """Return a MAC address as ``00:16:3E:22:41:54``, as most devices print it.

    >>> mac_address("0016.3e22.4154")
    '00:16:3E:22:41:54'
    """
    text = text.strip()
    if MAC_SPELLING.fullmatch(text) is None:
        raise ValueError("Must be a valid mac address.")
    digits = re.sub(r"[:.-]", "", text).upper()
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def mac_spellings(text: str) -> set[str]:
    """Return the spellings of a MAC address that agents derive their keys of."""
    canonical = mac_address(text)
    dashed = canonical.replace(":", "-")
    return {text, canonical, canonical.lower(), dashed, dashed.lower()}


def ip(text: str) -> str:
    """Return an IP address in its shortest form; an IPv4-mapped one as IPv4.

    >>> ip("2001:DB8:0::1")
    '2001:db8::1'
    """
    text = text.strip()
    if "%" in text:
        raise ValueError(
            "An address with a zone, such as fe80::1%eth0, is of one machine alone: leave the zone out."
        )
    address = ip_address(text)
    return str(getattr(address, "ipv4_mapped", None) or address)


def network(text: str) -> str:
    """Return a network with the bits of hosts cleared.

    >>> network("10.5.1.0/16")
    '10.5.0.0/16'
    """
    return str(ip_network(text.strip(), strict=False))


def host(text: str) -> str:
    """Return a host name or IP address that a client can be given; no scheme, port or zone.

    >>> host("vpn.Exämple.org")
    'vpn.xn--exmple-cua.org'
    """
    text = text.strip()
    bare = text.removeprefix("[").removesuffix("]")
    if ":" in bare or re.fullmatch(r"[0-9.]+", bare):
        return _host_address(bare)
    try:
        name = text.removesuffix(".").encode("idna").decode().lower()
    except UnicodeError:
        name = ""
    if len(name) > LONGEST_HOST or not all(map(LABEL.fullmatch, name.split("."))):
        raise ValueError("A host name or an IP address is expected, without http:// or a port.")
    return name


def _host_address(text: str) -> str:
    try:
        return ip(text)
    except ValueError as error:
        raise ValueError(
            "A host name or an IP address is expected, without http:// or a port."
        ) from error


def name_key(text: str) -> str:
    r"""Return the form in which names are compared, whatever their case and composition.

    >>> name_key("Jörg") == name_key("jo\u0308rg")
    True
    """
    return unicodedata.normalize("NFKC", text).casefold().strip()
