"""Names by DNS: which resolver knows which names, and who is told of it."""

from typing import Any

import pytest

from controller.accounts.models import Organization, User
from networks.overlay.engine import ways_lines, zones
from networks.overlay.engine.firewall import relay_table
from networks.overlay.models import Network, Node
from networks.overlay.rules import plans, update_network
from networks.overlay.rules.direct_path_reports import receive
from networks.overlay.rules.join_codes import LINUX, reissue, static_member
from networks.overlay.rules.members import add
from networks.overlay.rules.plans import load_topology, script_parts
from tests import factories

BASE = "/api/v1/networks"


@pytest.fixture
def owner(organization: Organization) -> User:
    return factories.user(organization, is_staff=True)


@pytest.fixture
def network(owner: User) -> Network:
    return factories.network(owner, "Robots")


def parts(node: Node) -> dict[str, str]:
    return script_parts(load_topology(), node)[1]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("fc94::/16", ["4.9.c.f.ip6.arpa"]),
        ("fd12:3456:789a::/48", ["a.9.8.7.6.5.4.3.2.1.d.f.ip6.arpa"]),
        ("10.64.7.0/24", ["7.64.10.in-addr.arpa"]),
        ("10.64.0.0/16", ["64.10.in-addr.arpa"]),
        ("10.64.6.0/23", ["6.64.10.in-addr.arpa", "7.64.10.in-addr.arpa"]),
        ("10.64.7.128/25", ["7.64.10.in-addr.arpa"]),
    ],
)
def test_reverse_zones_follow_from_the_prefix(prefix: str, expected: list[str]) -> None:
    assert zones.reverse_zones(prefix) == expected


@pytest.mark.django_db
def test_a_member_is_told_of_the_resolver_of_its_own_networks(
    network: Network, owner: User
) -> None:
    other = factories.network(owner, "Other")
    one, both = factories.member(network, name="one").node, factories.node(owner, "both")
    add(network, both, by=owner)
    add(other, both, by=owner)
    alone = factories.member(other, name="alone").node
    assert "resolver" not in parts(one)
    assert "resolvers" not in parts(plans.relay())

    update_network(network, by=owner, has_resolver=True, ipv4_range="10.64.7.0/24")
    update_network(other, by=owner, has_resolver=True)
    (first, *rest) = parts(one)["resolver"].splitlines()
    assert rest == [
        f"search {network.slug}.mesh", "route 4.9.c.f.ip6.arpa", "route 7.64.10.in-addr.arpa",
    ]  # fmt: skip
    assert [line for line in parts(both)["resolver"].splitlines() if "search" in line] == [
        f"search {network.slug}.mesh", f"search {other.slug}.mesh",
    ]  # fmt: skip
    of_relay = parts(plans.relay())
    listed = [line.split() for line in of_relay["resolvers"].splitlines()]
    assert [line[2] for line in listed if line[0] == "resolver"] == [
        f"{network.pk}", f"{network.pk},{other.pk}", f"{other.pk}",
    ]  # fmt: skip
    assert f"name {network.pk} 10.64.7.1 one.{network.slug}.mesh" in of_relay["resolvers"]
    # Nobody asks for the names of networks that they are not in.
    server = first.removeprefix("server ")
    rule = f"ip6 saddr {{ {one.address} }} ip6 daddr {server} udp dport 10053 accept"
    assert rule in of_relay["firewall"]
    assert str(alone.address) not in rule


def test_a_relay_without_resolvers_filters_no_input() -> None:
    assert "hook input" not in relay_table([], "muster0")


@pytest.mark.django_db
def test_wg_quick_is_told_the_zones_and_an_app_is_not(network: Network, owner: User) -> None:
    update_network(network, by=owner, has_resolver=True)
    Node.objects.filter(pk=plans.relay().pk).update(endpoint="192.0.2.1:51820")
    row, text = static_member(network, by=owner, name="laptop", system=LINUX)
    domain = f"PostUp = resolvectl domain %i {network.slug}.mesh ~4.9.c.f.ip6.arpa\n"
    assert domain in text
    assert "PostUp = resolvectl default-route %i false\n" in text
    assert domain in reissue(row, by=owner)
    assert "PostUp" not in static_member(network, by=owner, name="phone")[1]


@pytest.mark.django_db
def test_a_relay_that_lacks_the_program_is_told_on_the_page(
    network: Network, owner: User, client: Any
) -> None:
    hub = plans.relay()
    receive(hub, ways_lines.read("lacks dnsmasq rm\n", 0))
    assert plans.lacking("dnsmasq") == [hub.name]
    client.force_login(owner)
    page = f"/admin/networks/network/{network.pk}/change/"
    assert "has no dnsmasq" not in client.get(page).content.decode()
    update_network(network, by=owner, has_resolver=True)
    assert "has no dnsmasq" in client.get(page).content.decode()
    hub.refresh_from_db()
    receive(hub, ways_lines.read("lacks \n", 0))
    assert plans.lacking("dnsmasq") == []


@pytest.mark.django_db
def test_the_api_turns_names_by_dns_on(network: Network, owner: User, api: Any) -> None:
    client = api(owner)
    answer = client.patch(f"{BASE}/{network.pk}/", {"has_resolver": True}, format="json")
    assert answer.json()["has_resolver"] is True
    Node.objects.filter(pk=plans.relay().pk).update(endpoint="192.0.2.1:51820")
    answer = client.post(
        f"{BASE}/{network.pk}/phone/", {"name": "laptop", "system": "linux"}, format="json"
    )
    assert "resolvectl" in answer.json()["config"]
    bad = client.post(f"{BASE}/{network.pk}/phone/", {"name": "x", "system": "os2"})
    assert (bad.status_code, list(bad.json())) == (400, ["system"])
