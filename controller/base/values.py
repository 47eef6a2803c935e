"""One canonical text for each kind of value that people and devices spell in several ways.

Each function takes any usual spelling and returns the text that is stored, compared and shown, or
raises ValueError with a sentence.
"""

import re
import unicodedata
from ipaddress import ip_address, ip_network

# In the regular expression of a route: what merely has as many digits is no UUID, and a 404.
UUID = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
MAC_DIGITS = re.compile(r"[0-9A-F]{12}")
MAC_SPELLING = re.compile(
    r"([0-9A-Fa-f]{2}([:-]))([0-9A-Fa-f]{2}\2){4}[0-9A-Fa-f]{2}"
    r"|([0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}|[0-9A-Fa-f]{12}"
)
LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
LONGEST_HOST = 253
UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
UNIT = r"weeks?|days?|hours?|hrs?|min(?:ute)?s?|sec(?:ond)?s?|[wdhms]"
SPAN = re.compile(rf"([0-9]{{1,12}}) ?({UNIT})")
DURATION = re.compile(
    rf"(?P<spans>(?:[0-9]{{1,12}} ?(?:{UNIT})(?:\(s\))?,? ?)*)"
    r"(?P<clock>[0-9]{1,3}:[0-5][0-9](?::[0-5][0-9])?)?"
)
SCALES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
RATE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([kmg]?)(?:bps|bit/s|bits/s|b/s|bit)?")


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


def seconds(text: str) -> int:
    """Return the seconds of a duration as people, routers and tables write it.

    >>> [
    ...     seconds(one)
    ...     for one in ("90", "1h30m", "1w2d 03:04:05", "3 days, 4:05", "2 day(s) 3 min")
    ... ]
    [90, 5400, 788645, 273900, 172980]
    """
    rest = text.strip().lower()
    if re.fullmatch(r"[0-9]{1,12}", rest):
        return int(rest)
    found = DURATION.fullmatch(rest)
    if not rest or found is None:
        raise ValueError("A duration such as 90, 1h30m or 1d 03:04:05 is expected.")
    total = sum(int(count) * UNITS[unit[0]] for count, unit in SPAN.findall(found["spans"]))
    clock = [int(one) for one in (found["clock"] or "0").split(":")]
    hours, minutes, rest_of = (*clock, 0, 0, 0)[:3]
    return total + hours * UNITS["h"] + minutes * UNITS["m"] + rest_of


def bits_per_second(text: str) -> int:
    """Return the bits a second of a rate; a bare number is bits.

    >>> [bits_per_second(one) for one in ("1000", "10M", "1.5 Mbit/s", "20 kbps")]
    [1000, 10000000, 1500000, 20000]
    """
    found = RATE.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError("A rate such as 512k, 10M or 1.5 Gbit/s is expected.")
    return round(float(found[1]) * SCALES[found[2]])


def name_key(text: str) -> str:
    r"""Return the form in which names are compared, whatever their case and composition.

    >>> name_key("Jörg") == name_key("jo\u0308rg")
    True
    """
    return unicodedata.normalize("NFKC", text).casefold().strip()
