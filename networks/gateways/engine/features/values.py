"""Comparison of values by kind: spellings of the same value are equal.

A property's schema names the kind as ``compare``. Without it, the type decides: flags and
numbers compare by value, lists as sets, and texts literally.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from controller.base.values import bits_per_second, seconds

Schema = Mapping[str, Any]

YES, NO = {"1", "true", "yes", "on", "enabled"}, {"0", "false", "no", "off", "disabled"}


def text(value: str) -> Hashable:
    return value


def lines(value: str) -> Hashable:
    """Return multi-line text without its trailing newline, which the vendor adds."""
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
    """Return a host address, also if written as a /32 or /128 network."""
    try:
        found = ip_interface(value)
    except ValueError:
        return value
    return found.ip if found.network.prefixlen == found.max_prefixlen else value


def cidr(value: str) -> Hashable:
    """Return an interface address with its prefix length."""
    try:
        return ip_interface(value)
    except ValueError:
        return value


def network(value: str) -> Hashable:
    """Return a network with the host bits cleared."""
    try:
        return ip_network(value, strict=False)
    except ValueError:
        return value


def where(value: str) -> Hashable:
    """Return an address, network or range (negated by ``!``), or else the name."""
    turned, rest = value.startswith("!"), value.removeprefix("!").strip()
    if "-" not in rest:
        return turned, network(rest)
    try:
        return turned, *map(ip_address, rest.split("-", 1))
    except ValueError:
        return turned, rest


def duration(value: str) -> Hashable:
    """Return the seconds of ``1w2d3h4m5s``, ``1d 03:04:05`` or a bare number."""
    try:
        return seconds(value)
    except ValueError:
        return value


def rate(value: str) -> Hashable:
    """Return bits per second, for one direction or several separated by slashes."""
    try:
        return tuple(bits_per_second(part) for part in re.split(r"/(?=[0-9])", value))
    except ValueError:
        return value


def ports(value: str) -> Hashable:
    """Return ports and ranges as a set; ranges may use ``-`` or ``:``."""
    parts = [part.strip().replace(":", "-") for part in value.split(",")]
    return frozenset(re.sub(r"^(\d+)-\1$", r"\1", part) for part in parts if part)


def words(value: str) -> Hashable:
    """Return words as a set, whatever their order and separator."""
    return frozenset(part for part in re.split(r"[\s,;]+", value) if part)


def csv(value: str) -> Hashable:
    """Return comma-separated parts in order, without surrounding spaces."""
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
    """Return a property's canonical value; equal for texts with the same meaning."""
    if schema.get("type") == "array":
        inner = KINDS[kind_of(schema["items"])]
        parts = [
            inner(part.strip()) for part in re.split(f"[{separator}\n]", value) if part.strip()
        ]
        return tuple(parts) if schema.get("compare") == "list" else frozenset(parts)
    if value == "":
        value = str(schema.get("default", ""))
    return KINDS[kind_of(schema)](value) if value else ""
