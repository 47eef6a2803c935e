"""IPv4 ranges of networks: which are refused, what members get, what they are told."""

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.accounts.models import Organization, User
from controller.base.errors import Refused
from networks.ipam.models import Subnet
from networks.overlay.engine import ranges, ways_lines
from networks.overlay.models import Member, Network, Node, Pair
from networks.overlay.rules import direct_paths, plans, update_network
from networks.overlay.rules.direct_path_reports import receive
from networks.overlay.rules.join_codes import static_member
from networks.overlay.rules.members import approve
from networks.overlay.rules.plans import load_topology, script_parts
from networks.overlay.rules.ranges import conflicts
from tests import factories

BASE = "/api/v1/networks"


@pytest.fixture
def owner(organization: Organization) -> User:
    return factories.user(organization)


@pytest.fixture
def network(owner: User) -> Network:
    return factories.network(owner, "Robots")


@pytest.fixture
def set_range(network: Network, owner: User) -> Callable[[str], Network]:
    return lambda text: update_network(network, by=owner, ipv4_range=text)


def addresses(network: Network) -> list[str | None]:
    return list(network.members.order_by("pk").values_list("ipv4_address", flat=True))


@pytest.mark.django_db
def test_members_have_no_ipv4_until_the_network_has_a_range(
    network: Network, set_range: Callable[[str], Network]
) -> None:
    row = factories.member(network, name="one")
    assert "ranges" not in script_parts(load_topology(), row.node)[1]
    set_range("10.64.5.0/24")
    later = factories.member(network, name="two")
    assert addresses(network) == ["10.64.5.1", "10.64.5.2"]
    found = script_parts(load_topology([row.node_id]), row.node)[1]
    assert found["ranges"] == "10.64.5.0/24 10.64.5.1\n"
    assert "AllowedIPs = fc94::/16, 10.64.5.0/24\n" in found["wg.conf"]
    assert f"10.64.5.2 two two.{network.slug}.mesh\n" in found["hosts"]

    hub = plans.relay()
    of_relay = script_parts(load_topology(), hub)[1]
    assert f"AllowedIPs = {later.node.address}/128, 10.64.5.2/32\n" in of_relay["wg.conf"]
    assert of_relay["ranges"] == "10.64.5.0/24 -\n"

    set_range("")
    assert addresses(network) == [None, None]
    assert "ranges" not in script_parts(load_topology(), row.node)[1]


@pytest.mark.django_db
def test_an_address_that_was_given_back_is_not_given_to_the_next(
    network: Network, set_range: Callable[[str], Network]
) -> None:
    set_range("10.64.5.0/29")
    first, *_ = [factories.member(network) for _ in range(6)]
    first.delete()
    # All others are taken, so it is the only one left; after that there is none.
    assert factories.member(network).ipv4_address == "10.64.5.1"
    assert factories.member(network).ipv4_address is None


@pytest.mark.django_db
def test_a_member_that_waits_for_approval_gets_its_address_with_it(
    network: Network, owner: User, set_range: Callable[[str], Network]
) -> None:
    set_range("10.64.5.0/24")
    row = Member.objects.create(
        network=network, node=factories.node(owner), state=Member.State.PENDING
    )
    assert approve(row, by=owner).ipv4_address == "10.64.5.1"


@pytest.mark.django_db
def test_a_range_that_is_in_use_is_refused_with_what_uses_it(
    network: Network, owner: User, organization: Organization, set_range: Any
) -> None:
    other = factories.network(owner, "Other")
    update_network(other, by=owner, ipv4_range="10.64.1.0/24")
    Subnet.objects.create(name="office", subnet="10.65.0.0/16", organization=organization)
    row = factories.member(network, name="robot")
    Node.objects.filter(pk=row.node_id).update(offers={"lans": ["192.168.1.0/24", "?"]})
    Node.objects.filter(pk=plans.relay().pk).update(endpoint="10.66.0.1:51820")
    for text, what in (
        ("10.64.0.0/16", "the range of another overlay network"),
        ("10.65.7.0/24", "the subnet office"),
        ("192.168.1.128/25", "a network that robot is in"),
        ("10.66.0.0/24", "the address of a relay"),
        ("8.8.8.0/24", "private"), ("10.0.0.0/8", "prefix length"), ("x", "no IPv4 range"),
        ("10.64.5.1/24", "no IPv4 range"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=what):
            set_range(text)
    assert set_range("auto").ipv4_range == "10.64.0.0/24"
    assert conflicts(network, owner) == []
    Subnet.objects.create(name="new", subnet="10.64.0.0/20", organization=organization)
    assert conflicts(network, owner) == ["10.64.0.0/24 overlaps 10.64.0.0/20, the subnet new."]


@pytest.mark.django_db
def test_subnets_of_others_are_avoided_and_not_told(
    network: Network, owner: User, set_range: Any
) -> None:
    foreign = factories.organization()
    Subnet.objects.create(name="secret", subnet="10.64.0.0/24", organization=foreign)
    assert set_range("auto").ipv4_range == "10.64.1.0/24"
    assert set_range("10.64.0.0/24").ipv4_range == "10.64.0.0/24"


@pytest.mark.django_db
def test_the_range_and_the_addresses_are_in_the_api(
    network: Network, owner: User, api: Any
) -> None:
    factories.member(network)
    client = api(owner)
    said = client.patch(f"{BASE}/{network.pk}/", {"ipv4_range": "auto"}, format="json").json()
    assert said["ipv4_range"] == "10.64.0.0/24"
    (row,) = client.get(f"{BASE}/{network.pk}/members/").json()["results"]
    assert row["ipv4_address"] == "10.64.0.1"
    bad = client.patch(f"{BASE}/{network.pk}/", {"ipv4_range": "1.1.1.0/24"}, format="json")
    assert (bad.status_code, list(bad.json())) == (400, ["ipv4_range"])
    member = factories.user()
    factories.share(network, member)
    other = api(member).patch(f"{BASE}/{network.pk}/", {"ipv4_range": ""}, format="json")
    assert other.status_code == 403


@pytest.mark.django_db
def test_a_phone_gets_both_addresses(network: Network, owner: User, set_range: Any) -> None:
    set_range("10.64.5.0/24")
    Node.objects.filter(pk=plans.relay().pk).update(endpoint="192.0.2.1:51820")
    row, text = static_member(network, by=owner, name="phone")
    assert f"Address = {row.node.address}/128, 10.64.5.1/32\n" in text
    assert "AllowedIPs = fc94::/16, 10.64.5.0/24\n" in text


@pytest.mark.django_db
def test_a_pair_that_talks_by_ipv4_is_told_what_its_direct_way_carries(
    network: Network, set_range: Any
) -> None:
    set_range("10.64.5.0/24")
    one, other = factories.member(network).node, factories.member(network).node
    hub = plans.relay()
    receive(hub, ways_lines.read("talk 10.64.5.1 10.64.5.2\n", 0))
    pair = Pair.objects.get()
    assert {pair.low_id, pair.high_id} == {one.pk, other.pk}
    Pair.objects.update(state=Pair.State.TRYING)
    assert f"carry {pair.pk} 10.64.5.2/32=10.64.5.1\n" in direct_paths.ways_text(one)
    assert f"carry {pair.pk} 10.64.5.1/32=10.64.5.2\n" in direct_paths.ways_text(other)


@given(st.sets(st.integers(1, 254), max_size=254), st.integers(1, 20))
def test_free_addresses_are_free(used: set[int], count: int) -> None:
    within = IPv4Network("10.64.5.0/24")
    taken = {f"10.64.5.{one}" for one in used}
    found = ranges.next_addresses(within, taken, count)
    assert len(set(found)) == len(found) == min(count, 254 - len(used))
    assert not taken & set(found)


def test_a_full_pool_says_so() -> None:
    pool = IPv4Network("10.0.0.0/24")
    taken = [ranges.Taken(pool, "x")]
    assert ranges.free(pool, 3, taken) is None
