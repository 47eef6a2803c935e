"""Value comparison: a vendor's spelling of a sent value is no difference."""

import json
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_interface
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from networks.gateways.engine.features import ALL, Feature
from networks.gateways.engine.features.values import KINDS, kind_of, meant

# Strategies of lists of equal spellings; the first one identifies the value.
Spellings = st.SearchStrategy[list[str]]


def macs(number: int) -> list[str]:
    pairs = [f"{number:012x}"[at : at + 2] for at in range(0, 12, 2)]
    lower = ":".join(pairs)
    return [lower, lower.upper(), "-".join(pairs).upper()]


def addresses(one: IPv4Address | IPv6Address) -> list[str]:
    host = f"{one}/{one.max_prefixlen}"
    return [str(one), one.exploded.upper(), host]


def networks(one: tuple[IPv4Address | IPv6Address, int]) -> list[str]:
    found = ip_interface(f"{one[0]}/{min(one[1], one[0].max_prefixlen)}")
    spelled = [str(found.network), str(found)]
    if isinstance(one[0], IPv4Address):
        spelled.append(found.network.with_netmask)
    return spelled


def cidrs(one: tuple[IPv4Address | IPv6Address, int]) -> list[str]:
    found = ip_interface(f"{one[0]}/{min(one[1], one[0].max_prefixlen)}")
    return [str(found), f"{one[0].exploded.upper()}/{found.network.prefixlen}"]


def durations(seconds: int) -> list[str]:
    minutes, rest = divmod(seconds, 60)
    hours, left = divmod(minutes, 60)
    days, clock = divmod(hours, 24)
    spelled = f"{days}d{clock:02}:{left:02}:{rest:02}"
    return [f"{seconds}s", f"{minutes}m{rest}s", f"{hours}h{left}m{rest}s", spelled]


def rates(pair: tuple[int, int]) -> list[str]:
    up, down = pair
    return [f"{up * 10**6}/{down * 10**6}", f"{up}M/{down}M", f"{up}000k/{down}000k"]


def ranges(pair: tuple[int, int]) -> list[str]:
    low, high = sorted(pair)
    if low == high:
        return [str(low), f"{low}-{low}"]
    return [f"{low}-{high},1", f"1,{low}:{high}"]


IPS = st.ip_addresses()
LENGTHS = st.integers(8, 31)
PORT = st.integers(2, 65535)
WORDS = st.lists(st.sampled_from(["web", "prod", "lab", "x1"]), min_size=1, unique=True)
PLAIN = st.text("abcXYZ019_", min_size=1, max_size=12)
OF: Mapping[str, Spellings] = {
    "mac": st.integers(0, 2**48 - 1).map(macs),
    "address": IPS.map(addresses),
    "network": st.tuples(IPS, LENGTHS).map(networks),
    "cidr": st.tuples(IPS, LENGTHS).map(cidrs),
    "where": st.one_of(
        st.tuples(IPS, LENGTHS).map(networks), PLAIN.map(lambda one: [f"lan{one}"])
    ),
    "duration": st.integers(0, 10**6).map(durations),
    "rate": st.tuples(st.integers(1, 999), st.integers(1, 999)).map(rates),
    "ports": st.tuples(PORT, PORT).map(ranges),
    "flag": st.booleans().map(
        lambda one: ["1", "true", "yes"] if one else ["0", "false", "no"]
    ),
    "number": st.integers(0, 10**6).map(lambda one: [str(one), f"{one:08}"]),
    "case": PLAIN.map(lambda one: [one.lower(), one.upper()]),
    "lines": PLAIN.map(lambda one: [one, f"{one}\n"]),
    "words": WORDS.map(
        lambda one: [" ".join(sorted(one)), ";".join(sorted(one)), ",".join(one)]
    ),
    "csv": WORDS.map(lambda one: [",".join(one), ", ".join(one)]),
    "text": PLAIN.map(lambda one: [one]),
}


def kinds() -> list[Any]:
    """Return each comparison kind in use with one feature that uses it."""
    found: dict[str, Any] = {}
    for one in ALL:
        for name, schema in one.properties.items():
            item = schema["items"] if schema.get("type") == "array" else schema
            how = [schema.get("type"), schema.get("compare"), kind_of(item), one.separator]
            if "enum" not in item and not one.is_secret(name):
                found.setdefault(
                    json.dumps(how), pytest.param(one, name, id=f"{one.key}-{name}")
                )
    return list(found.values())


def spellings_of(feature: Feature, name: str) -> Spellings:
    """Return lists of equal spellings of a property's complete value."""
    schema = feature.properties[name]
    if schema.get("type") != "array":
        return OF[kind_of(schema)]
    items = OF[kind_of(schema["items"])].filter(lambda one: "," not in one[0])
    is_ordered = schema.get("compare") == "list"

    def joined(parts: list[list[str]]) -> list[str]:
        again = [one[-1] for one in (parts if is_ordered else reversed(parts))]
        first = sorted(parts, key=str) if not is_ordered else parts
        glue = feature.separator
        return [glue.join(one[0] for one in first), glue.join(again)]

    return st.lists(items, min_size=1, max_size=3, unique_by=lambda one: one[0]).map(joined)


def enumerated(schema: Mapping[str, Any]) -> bool:
    item = schema["items"] if schema.get("type") == "array" else schema
    return "enum" in item


KEPT = [pytest.param(one, id=one.key) for one in ALL if not one.action]


@pytest.mark.parametrize("feature", KEPT)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_no_field_of_any_feature_differs_by_its_spelling(
    feature: Feature, data: st.DataObject
) -> None:
    names = [n for n, schema in feature.properties.items() if not enumerated(schema)]
    drawn = {n: data.draw(spellings_of(feature, n), label=n) for n in names}
    sent = {n: spelled[0] for n, spelled in drawn.items()}
    assert not feature.differs(sent, {n: spelled[-1] for n, spelled in drawn.items()})
    for name in names:
        other = data.draw(spellings_of(feature, name), label=name)
        if other[0] not in drawn[name] and drawn[name][0] not in other:
            assert feature.differs(sent, {**sent, name: other[-1]}) == [name]


@pytest.mark.parametrize("feature", KEPT)
def test_each_choice_of_a_field_is_another_value(feature: Feature) -> None:
    for name, schema in feature.properties.items():
        if not enumerated(schema):
            continue
        item = schema["items"] if schema.get("type") == "array" else schema
        choices = [feature.text(one) for one in item["enum"]]
        for one in choices:
            wrong = [n for n in choices if not feature.differs({name: one}, {name: n})]
            assert wrong == [one]


@pytest.mark.parametrize(("feature", "name"), kinds())
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_another_spelling_of_what_was_sent_is_no_difference_and_another_value_is_one(
    feature: Feature, name: str, data: st.DataObject
) -> None:
    mine, other = (data.draw(spellings_of(feature, name)) for _ in range(2))
    for told in mine:
        assert not feature.differs({name: mine[0]}, {name: told}), (mine[0], told)
    if other[0] not in mine and mine[0] not in other:
        assert feature.differs({name: mine[0]}, {name: other[-1]}) == [name]


def test_every_property_is_compared_in_a_way_that_there_is() -> None:
    for one in ALL:
        for schema in one.properties.values():
            item = schema["items"] if schema.get("type") == "array" else schema
            assert kind_of(item) in KINDS
    assert set(OF) == set(KINDS)


@pytest.mark.parametrize(
    ("key", "name", "sent", "told"),
    [
        ("mikrotik.queues.simple", "max-limit", "10M/20M", "10000000/20000000"),
        ("mikrotik.dhcp.lease_static", "mac-address", "aa:bb:cc:dd:ee:a8", "AA:BB:CC:DD:EE:A8"),
        ("mikrotik.firewall.filter_rule", "src-address", "10.0.0.5/32", "10.0.0.5"),
        ("mikrotik.dhcp.server", "lease-time", "60m", "1h"),
        ("proxmox.container.config", "description", "x", "x\n"),
        ("proxmox.node.network", "comments", "x", "x\n"),
        ("proxmox.vm.config", "tags", "web,prod", "prod;web"),
        ("opnsense.firewall.rule", "protocol", "tcp", "TCP"),
        ("opnsense.nat.port_forward", "protocol", "TCP", "tcp"),
        ("pfsense.routing.static_route", "network", "10.5.1.0/16", "10.5.0.0/16"),
    ],
)
def test_what_vendors_are_known_to_say_back_is_no_difference(
    key: str, name: str, sent: str, told: str
) -> None:
    (feature,) = (one for one in ALL if one.key == key)
    assert not feature.differs({name: sent}, {name: told})


def test_a_comment_with_commas_is_one_text_and_an_address_keeps_its_host() -> None:
    (rule,) = (one for one in ALL if one.key == "mikrotik.firewall.filter_rule")
    assert rule.differs({"comment": "deny, allow"}, {"comment": "allow, deny"}) == ["comment"]
    (address,) = (one for one in ALL if one.key == "mikrotik.ip.address")
    assert address.differs({"address": "10.0.0.1/24"}, {"address": "10.0.0.2/24"})


def test_order_counts_where_the_feature_says_so() -> None:
    ordered = {"type": "array", "items": {}, "compare": "list"}
    assert meant(ordered, "a,b", ",") != meant(ordered, "b,a", ",")
    assert meant({**ordered, "compare": "set"}, "a,b", ",") == meant(
        {**ordered, "compare": "set"}, "b,a", ","
    )
