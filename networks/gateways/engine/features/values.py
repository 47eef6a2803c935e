"""When two spellings of a value mean the same: one way for each kind of value.

A property's schema names the kind as ``compare``; without it the type decides: flags and numbers
by their value, lists as sets, and texts as they are.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

Schema = Mapping[str, Any]

YES, NO = {"1", "true", "yes", "on", "enabled"}, {"0", "false", "no", "off", "disabled"}
UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
SCALES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
DURATION = re.compile(r"(?:\d+[wdhms])+")
CLOCK = re.compile(r"(?:(?P<before>(?:\d+[wd])*))(?P<h>\d{1,2}):(?P<m>\d{2}):(?P<s>\d{2})")
RATE = re.compile(r"(\d+(?:\.\d+)?)([kmg]?)(?:bps)?")


def text(value: str) -> Hashable:
    return value


def lines(value: str) -> Hashable:
    """Texts that the vendor keeps as lines: the newline at the end is its own."""
    return value.replace("\r\n", "\n").rstrip("\n")


def case(value: str) -> Hashable:
    return value.casefold()


def flag(value: str) -> Hashable:
    lower = value.lower()
    return True if lower in YES else False if lower in NO else value


def number(value: str) -> Hashable:
    return int(value) if re.fullmatch(r"-?\d+", value) else value


def mac(value: str) -> Hashable:
    digits = re.sub(r"[:.-]", "", value).lower()
    return digits if re.fullmatch(r"[0-9a-f]{12}", digits) else value


def address(value: str) -> Hashable:
    """An address of one host, which some spell as a network of that size."""
    try:
        found = ip_interface(value)
    except ValueError:
        return value
    return found.ip if found.network.prefixlen == found.max_prefixlen else value


def cidr(value: str) -> Hashable:
    """The address of an interface together with the size of its network."""
    try:
        return ip_interface(value)
    except ValueError:
        return value


def network(value: str) -> Hashable:
    """A network: what is set beyond its length does not count."""
    try:
        return ip_network(value, strict=False)
    except ValueError:
        return value


def where(value: str) -> Hashable:
    """An address, network or range, turned round by ``!``; or a name, as it is."""
    turned, rest = value.startswith("!"), value.removeprefix("!").strip()
    if "-" not in rest:
        return turned, network(rest)
    try:
        return turned, *map(ip_address, rest.split("-", 1))
    except ValueError:
        return turned, rest


def duration(value: str) -> Hashable:
    """Seconds, of ``1w2d3h4m5s``, of a clock's ``1d 03:04:05`` or of a bare number."""
    lower = value.lower().replace(" ", "")
    if lower.isdigit():
        return int(lower)
    if found := CLOCK.fullmatch(lower):
        parts = [f"{found[unit]}{unit}" for unit in "hms"]
        lower = found["before"] + "".join(parts)
    if DURATION.fullmatch(lower):
        return sum(int(count) * UNITS[unit] for count, unit in re.findall(r"(\d+)(\w)", lower))
    return value


def rate(value: str) -> Hashable:
    """Bits per second, of one direction or of several apart by a slash."""
    found = [RATE.fullmatch(part.lower()) for part in value.split("/")]
    if not all(found):
        return value
    return tuple(int(float(one[1]) * SCALES[one[2]]) for one in found if one)


def ports(value: str) -> Hashable:
    """Ports and ranges, whatever their order and whatever is between a range's ends."""
    parts = [part.strip().replace(":", "-") for part in value.split(",")]
    return frozenset(re.sub(r"^(\d+)-\1$", r"\1", part) for part in parts if part)


def words(value: str) -> Hashable:
    """Words that the vendor sorts, and parts by a character of its own."""
    return frozenset(part for part in re.split(r"[\s,;]+", value) if part)


def csv(value: str) -> Hashable:
    """Parts apart by commas, in their order; blanks around them do not count."""
    return tuple(part.strip() for part in value.split(","))


KINDS: Mapping[str, Callable[[str], Hashable]] = {
    one.__name__: one
    for one in (
        text, lines, case, flag, number, mac, address, cidr, network, where, duration, rate,
        ports, words, csv,
    )
}  # fmt: skip
BY_TYPE = {"boolean": "flag", "integer": "number"}


def kind_of(schema: Schema) -> str:
    """Return the kind of a single value: a name in ``KINDS``."""
    return str(schema.get("compare") or BY_TYPE.get(str(schema.get("type")), "text"))


def meant(schema: Schema, value: str, separator: str) -> Hashable:
    """Return what a property's text means; two texts that mean the same are equal here."""
    if schema.get("type") == "array":
        inner = KINDS[kind_of(schema["items"])]
        parts = [
            inner(part.strip()) for part in re.split(f"[{separator}\n]", value) if part.strip()
        ]
        return tuple(parts) if schema.get("compare") == "list" else frozenset(parts)
    if value == "":
        value = str(schema.get("default", ""))
    return KINDS[kind_of(schema)](value) if value else ""
