from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netjsonconfig import OpenWrt

from networks.overlay.engine import configs, plan_changes, topology
from networks.overlay.engine.keys import checked_public, overlay_address, wireguard_pair
from networks.overlay.engine.overlay_names import (
    device_id,
    free_name,
    is_hostname,
    link,
    new_code,
    new_link_secret,
    parse_link,
)
from networks.overlay.engine.topology import Network, Node, Topology

RELAY = 0
PREFIX = "fc94::/16"


def node(number: int, **values: object) -> Node:
    return Node(
        **{
            "id": number,
            "name": f"node-{number}",
            "address": f"fc94::{number + 1:x}",
            "public_key": f"key-{number}",
            "port": 20000 + number,
            "direct_port": 30000 + number,
        }
        | values  # type: ignore[arg-type]
    )


def world(*networks: tuple[int, ...], count: int = 8, **values: object) -> Topology:
    nodes = {number: node(number) for number in range(count)}
    nodes[RELAY] = node(RELAY, endpoint="192.0.2.1:51820")
    made = tuple(
        Network(number, f"net-{number}", members)
        for number, members in enumerate(networks, start=1)
    )
    return Topology(
        **{
            "nodes": nodes, "networks": made, "relays": (nodes[RELAY],),
            "prefix": PREFIX, "suffix": "mesh",
        } | values  # type: ignore[arg-type]
    )  # fmt: skip


memberships = st.lists(
    st.sets(st.integers(1, 7), max_size=7).map(lambda one: tuple(sorted(one))), max_size=4
)


@given(memberships)
def test_a_member_has_no_permanent_peer_but_its_relays(
    networks: list[tuple[int, ...]],
) -> None:
    made = world(*networks)
    for number, plan in topology.plans(made).items():
        if number != RELAY:
            assert [peer.public_key for peer in plan.peers] == ["key-0"]
            assert plan.direct is not None
            assert plan.direct.observers == (("key-0", "192.0.2.1:61820"),)


@given(st.sets(st.integers(1, 2**64), min_size=2, max_size=2))
def test_link_local_addresses_are_as_different_as_addresses(numbers: set[int]) -> None:
    one, other = (str(IPv6Address((0xFC94 << 112) | number)) for number in numbers)
    assert topology.link_address(one) != topology.link_address(other)
    assert IPv6Address(topology.link_address(one)).is_link_local


@given(memberships, st.data())
def test_names_are_those_of_the_devices_it_shares_a_network_with(
    networks: list[tuple[int, ...]], data: st.DataObject
) -> None:
    made = world(*networks)
    acquainted = topology.pairs(made.networks)
    for number, plan in topology.plans(made).items():
        known = {line.address for line in configs.lines_of(plan)} - {"::1"}
        reachable = {
            other for other in range(1, 8) if topology.pair(number, other) in acquainted
        }
        if number != RELAY:
            assert known == {made.nodes[other].address for other in reachable | {number}}


@given(memberships, st.integers(0, 3))
def test_leaving_one_of_two_shared_networks_keeps_the_others_company(
    networks: list[tuple[int, ...]], at: int
) -> None:
    before = topology.pairs(world(*networks).networks)
    rest = [one for number, one in enumerate(networks) if number != at]
    after = topology.pairs(world(*rest).networks)
    shared_otherwise = {
        pair for pair in before if any(set(pair) <= set(network) for network in rest)
    }
    assert after == shared_otherwise


@given(memberships, memberships)
def test_nothing_has_changed_exactly_where_plans_are_equal(
    before: list[tuple[int, ...]], after: list[tuple[int, ...]]
) -> None:
    old, new = topology.plans(world(*before)), topology.plans(world(*after))
    changed = plan_changes.changed(old, new)
    for number in old.keys() | new.keys():
        one, other = old.get(number, topology.NOTHING), new.get(number, topology.NOTHING)
        lines = set(configs.lines_of(one)), set(configs.lines_of(other))
        same = lines[0] == lines[1] and one.peers == other.peers and one.port == other.port
        assert (number not in changed) == same


@given(memberships, memberships)
def test_what_is_new_turns_the_old_plan_into_the_new_one(
    before: list[tuple[int, ...]], after: list[tuple[int, ...]]
) -> None:
    old, new = topology.plans(world(*before)), topology.plans(world(*after))
    for number, changes in plan_changes.changed(old, new).items():
        one, other = old.get(number, topology.NOTHING), new.get(number, topology.NOTHING)
        peers = (set(one.peers) - set(changes.peers_removed)) | set(changes.peers_added)
        assert peers == set(other.peers)
        lines = set(configs.lines_of(one)) - set(changes.names_removed)
        assert lines | set(changes.names_added) == set(configs.lines_of(other))


@given(memberships)
def test_the_relay_lets_each_member_speak_as_itself_alone(
    networks: list[tuple[int, ...]],
) -> None:
    made = world(*networks)
    members = {one for network in networks for one in network}
    assert {
        (peer.public_key, peer.allowed_ips)
        for peer in topology.relay_plan(made, made.nodes[RELAY]).peers
    } == {(f"key-{one}", (f"{made.nodes[one].address}/128",)) for one in members}


def test_a_join_changes_its_own_network_and_the_relay_alone() -> None:
    before, after = world((1, 2), (3, 4)), world((1, 2, 5), (3, 4))
    changed = plan_changes.changed(topology.plans(before), topology.plans(after))
    assert changed.keys() == {RELAY, 1, 2, 5}
    assert [line.names[0] for line in changed[1].names_added] == ["node-5"]
    assert [peer.public_key for peer in changed[RELAY].peers_added] == ["key-5"]


def test_master_leads_to_the_member_it_names_else_to_oneself() -> None:
    nodes = {number: node(number) for number in range(4)}
    first = Network(1, "first", (1, 2))
    second = Network(2, "second", (1, 3), master=3)
    made = Topology(nodes, (first, second), (nodes[RELAY],), PREFIX, "mesh")
    assert "fc94::4 master\n" in configs.hosts(topology.plan(made, 1))
    assert "::1 master\n" in configs.hosts(topology.plan(made, 2))


def test_a_plan_as_wg_reads_it() -> None:
    made = world((1, 2))
    assert configs.wg_config(topology.plan(made, 1)) == (
        "[Interface]\nListenPort = 20001\n\n"
        "[Peer]\nPublicKey = key-0\nAllowedIPs = fc94::/16\nEndpoint = 192.0.2.1:51820\n"
        "PersistentKeepalive = 25\n"
    )


def test_a_relay_is_given_no_endpoints_for_it_knows_better() -> None:
    made = world((1, 2))
    nodes = {**made.nodes, 1: replace(made.nodes[1], endpoint="203.0.113.1:20001")}
    plan = topology.relay_plan(replace(made, nodes=nodes), nodes[RELAY])
    assert "Endpoint" not in configs.wg_config(plan, is_relay=True)
    assert configs.observer_config(plan) == (
        "[Interface]\nListenPort = 30000\n"
        "\n[Peer]\nPublicKey = key-1\n\n[Peer]\nPublicKey = key-2\n"
    )


def test_what_a_member_knows_of_the_interface_for_direct_ways() -> None:
    plan = topology.plan(world((1, 2)), 1)
    assert plan.direct is not None
    assert configs.direct_lines(plan.direct) == (
        "port 30001\nlink fe80::2\nobserver key-0 192.0.2.1:61820\n"
    )


def test_a_plan_as_openwrt_has_it() -> None:
    private, public = wireguard_pair()
    nodes = {1: node(1), 0: node(0, public_key=public, endpoint="192.0.2.1:51820")}
    made = Topology(nodes, (Network(1, "one", (1,)),), (nodes[0],), PREFIX, "mesh")
    config = configs.netjson(topology.plan(made, 1))
    text = OpenWrt(config, context={configs.KEY_VARIABLE: private}).render()
    assert "option proto 'wireguard'" in text
    assert f"option private_key '{private}'" in text
    assert "list allowed_ips 'fc94::/16'" in text
    assert "option endpoint_port '51820'" in text


@given(st.binary(min_size=32, max_size=32))
def test_an_address_follows_from_the_key_and_lies_in_the_prefix(raw: bytes) -> None:
    _, public = wireguard_pair()
    for prefix in (PREFIX, "fd12:3456:789a::/48"):
        address = overlay_address(public, prefix)
        assert address == overlay_address(public, prefix)
        assert IPv6Address(address) in IPv6Network(prefix)


@pytest.mark.parametrize("bad", ["", "x", "A" * 43 + "=", "not base64 at all!", "AAAA"])
def test_what_is_no_key_is_told_so(bad: str) -> None:
    with pytest.raises(ValueError, match="public key"):
        checked_public(bad)


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "A", "a_b", "a.b", "a\n", "x" * 64, "localhost", "master", 7, None]
)
def test_what_is_no_host_name(name: object) -> None:
    assert not is_hostname(name)


@given(st.text(max_size=80), st.sets(st.sampled_from(["device", "device-2", "a"])))
def test_a_free_name_is_a_host_name_that_nobody_has(wanted: str, taken: set[str]) -> None:
    name = free_name(wanted, taken)
    assert is_hostname(name)
    assert name not in taken


def test_a_link_is_read_as_it_was_written() -> None:
    secret = new_link_secret()
    text = link("https://muster.example.org", "fc94::12", secret)
    assert len(text.rpartition("/")[2]) == 56
    assert parse_link(text) == ("muster.example.org", "fc94::12", secret)


@pytest.mark.parametrize(
    "bad", ["", "fc94", "https://x/husarnet/fc94", "ftp://x/husarnet/" + "0" * 56, "https://["]
)
def test_what_is_no_link(bad: str) -> None:
    with pytest.raises(ValueError, match=r"link|URL|IPv6"):
        parse_link(bad)


def test_a_device_id_has_one_spelling() -> None:
    assert device_id("FC94:1c5a:0abc:0dee:0123:4567:244f:055d") == (
        "fc94:1c5a:abc:dee:123:4567:244f:55d"
    )
    with pytest.raises(ValueError, match="zone"):
        device_id("fe80::1%eth0")


def test_a_code_is_as_long_as_those_of_the_original() -> None:
    assert len(new_code()) == 22
    assert not set(new_code()) & set("01IOl")
