"""Which feature FreeSDN's web client means by the last part of a URL that it reads.

Nothing is listed here: words of the URL are looked for among the words of the features' keys and
aliases. A new feature is read under such a URL as soon as it is in the registry.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from networks.gateways.engine.features import ALL, Feature

# Words of vendors for the same thing: a lease that always gives the same address.
RESERVATIONS = ({"reservation"}, {"static", "mapping"}, {"static", "host"}, {"lease", "static"})
RESERVATION = frozenset({"reservation", "static", "mapping"})
# The client's words for things that live in another part of a vendor's keys.
SAME = {"nat": "forward", "profile": "portprofile", "route": "routing", "dhcpv4": "dhcp"}
# URLs whose words are not those of the vendor's feature.
MEANT: Mapping[tuple[str, str], str] = {
    ("opnsense", "nat/onetoone"): "nat/one/to/one",
    ("pfsense", "nat/onetoone"): "nat/one/to/one",
    ("pfsense", "nat-rules"): "nat/outbound",
    ("opnsense", "ipsec"): "ipsec/connection",
    ("opnsense", "ipsec/children"): "ipsec/child",
    ("pfsense", "ipsec"): "ipsec/phase1",
    ("pfsense", "ipsec/children"): "ipsec/phase2",
    ("opnsense", "ids/rules"): "ids/user/rule",
    ("proxmox", "nodes/qemu/config"): "vm/config",
    ("proxmox", "nodes/lxc/config"): "container/config",
}


# Words of URLs that read a gateway's live state instead of settings.
PARTS = {"arp": "neighbors", "lease": "leases", "log": "log", "interface": "interfaces"}


def part_at(what: str) -> str:
    """Return the part of the live view that a URL reads; empty if it reads none."""
    return next((PARTS[one] for one in sorted(words(what)) if one in PARTS), "")


def singular(word: str) -> str:
    """Return a noun in the singular.

    >>> [
    ...     singular(one)
    ...     for one in ("policies", "addresses", "aliases", "leases", "alias", "dns")
    ... ]
    ['policy', 'address', 'alias', 'lease', 'alias', 'dns']
    """
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("sses", "iases")):
        return word[:-2]
    is_plural = word.endswith("s") and not word.endswith(("ss", "ias", "dns", "ids"))
    return word[:-1] if is_plural else word


def words(text: str) -> frozenset[str]:
    return frozenset(singular(one) for one in re.split(r"[^a-z0-9]+", text.lower()) if one)


def words_of(feature: Feature) -> tuple[frozenset[str], ...]:
    """Return the words by which URLs name a feature, without its vendor's."""
    found = []
    for name in feature.known_as():
        own = words(name.removeprefix(f"{feature.vendor}."))
        if any(one <= own for one in RESERVATIONS):
            own |= RESERVATION
        found.append(own)
    return tuple(found)


def readable(vendor: str, area: str = "") -> Iterator[Feature]:
    """Yield the features of a vendor whose objects can be read, in one area or in all."""
    for one in ALL:
        if one.vendor == vendor and not one.action and area in {"", one.area}:
            yield one


def feature_at(vendor: str, area: str, what: str) -> Feature | None:
    """Return the feature that a URL reads, or None if no feature of the vendor has its words."""
    wanted = words(MEANT.get((vendor, what), what))
    others = frozenset(SAME.get(one, one) for one in wanted)
    for meant in dict.fromkeys((wanted, others)):
        if found := best(readable(vendor, area), meant, area):
            return found
    return None


def best(features: Iterable[Feature], wanted: frozenset[str], area: str) -> Feature | None:
    """Return the feature with all words and the fewest others; those that are made count first."""
    fitting = [
        (
            "create" not in one.operations,
            len(own - wanted),
            not wanted <= words(one.title),
            at,
            one,
        )
        for at, one in enumerate(features)
        for own in words_of(one)
        if wanted and wanted <= own | words(area)
    ]
    return min(fitting, key=lambda row: row[:4])[4] if fitting else None
