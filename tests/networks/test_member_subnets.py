"""Subnets behind members: who enters and approves them, what is refused, who is told."""

from collections.abc import Callable
from typing import Any

import pytest

from controller.accounts.models import Organization, User
from controller.base.errors import Conflict, NotPermitted, Refused
from networks.overlay.engine import ways_lines
from networks.overlay.models import Member, MemberSubnet, Network, Node, Pair
from networks.overlay.rules import direct_paths, plans, set_policy, subnets, update_network
from networks.overlay.rules.direct_path_reports import receive
from networks.overlay.rules.plans import load_topology, script_parts
from tests import factories

BASE = "/api/v1/networks"
LAN = "192.168.1.0/24"


@pytest.fixture
def owner(organization: Organization) -> User:
    return factories.user(organization, is_staff=True)


@pytest.fixture
def network(owner: User) -> Network:
    row = factories.network(owner, "Robots")
    return update_network(row, by=owner, ipv4_range="10.64.5.0/24")


@pytest.fixture
def site(network: Network) -> Member:
    return factories.member(network, name="site")


@pytest.fixture
def other(network: Network) -> Member:
    return factories.member(network, name="other")


@pytest.fixture
def routed(site: Member, owner: User) -> Callable[..., MemberSubnet]:
    def route(lan: str = LAN, prefix: str = "", **values: Any) -> MemberSubnet:
        row = subnets.add_subnet(site, by=owner, lan=lan, **values)
        return subnets.approve_subnet(row, by=owner, prefix=prefix)

    return route


def parts(node: Node) -> dict[str, str]:
    return script_parts(load_topology(), node)[1]


@pytest.mark.django_db
def test_only_an_approved_subnet_is_routed(
    site: Member, other: Member, owner: User, network: Network
) -> None:
    row = subnets.add_subnet(site, by=owner, lan=LAN)
    assert (row.name, row.prefix) == ("site-lan", "")
    assert "routes" not in parts(other.node)
    subnets.approve_subnet(row, by=owner)
    found = parts(other.node)
    assert found["routes"] == f"{LAN} {other.ipv4_address}\n"
    assert f"AllowedIPs = fc94::/16, 10.64.5.0/24, {LAN}\n" in found["wg.conf"]
    mine = parts(site.node)
    assert "routes" not in mine
    assert mine["subnets"] == f"{LAN} {LAN}\n"
    assert f"ct original ip daddr {LAN} masquerade" in mine["firewall"]
    hub = parts(plans.relay())
    assert (
        f"AllowedIPs = {site.node.address}/128, {site.ipv4_address}/32, {LAN}\n"
        in hub["wg.conf"]
    )
    assert hub["routes"] == f"{LAN} -\n"
    with pytest.raises(Conflict):
        subnets.approve_subnet(row, by=owner)
    subnets.remove_subnet(row, by=owner)
    assert "routes" not in parts(other.node)


@pytest.mark.django_db
def test_who_the_policy_keeps_from_a_subnet_gets_no_route_to_it(
    site: Member, other: Member, owner: User, network: Network, routed: Any
) -> None:
    routed()
    rule = {"action": "deny", "from": ["other"], "to": ["subnet:site-lan"]}
    set_policy(network, by=owner, policy={"rules": [rule]})
    assert "routes" not in parts(other.node)
    assert direct_paths.subnets.reached_by(other.node, [site.node_id]) == []
    third = factories.member(network, name="third")
    assert "routes" in parts(third.node)
    # Hosts of the subnet begin what a rule names, and who they may reach can answer.
    rule = {"action": "allow", "from": ["subnet:site-lan"], "to": ["other"]}
    set_policy(network, by=owner, policy={"default": "deny", "rules": [rule]})
    assert "routes" in parts(other.node)
    assert "routes" not in parts(third.node)


@pytest.mark.django_db
def test_what_overlaps_is_refused_and_can_be_mapped(
    site: Member, owner: User, network: Network, routed: Any
) -> None:
    routed()
    elsewhere = update_network(
        factories.network(owner, "Elsewhere"), by=owner, ipv4_range="10.64.6.0/24"
    )
    row = subnets.add_subnet(factories.member(elsewhere, name="twin"), by=owner, lan=LAN)
    with pytest.raises(Conflict, match="mapped"):
        subnets.approve_subnet(row, by=owner)
    with pytest.raises(Refused, match="as large"):
        subnets.approve_subnet(row, by=owner, prefix="10.77.0.0/16")
    assert subnets.approve_subnet(row, by=owner, prefix="auto").prefix == "10.64.0.0/24"
    mine = parts(row.member.node)
    assert f"ip daddr map {{ 10.64.0.0/24 : {LAN} }}" in mine["firewall"]
    with pytest.raises(Refused, match="behind a member"):
        update_network(network, by=owner, ipv4_range="10.64.0.0/24")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "lan", ["x", "0.0.0.0/0", "::/0", "192.168.1.1/24", "127.0.0.0/8", "fc94:1::/32", "fe80::/64",
            "224.0.0.0/8", ""],
)  # fmt: skip
def test_what_is_no_subnet_of_hosts_is_refused(site: Member, owner: User, lan: str) -> None:
    with pytest.raises(Refused):
        subnets.add_subnet(site, by=owner, lan=lan)


@pytest.mark.django_db
def test_an_ipv4_subnet_needs_ipv4_addresses_and_an_ipv6_one_does_not(owner: User) -> None:
    plain = factories.network(owner, "Plain")
    site, other = factories.member(plain, name="site"), factories.member(plain, name="other")
    with pytest.raises(Conflict, match="IPv4"):
        subnets.approve_subnet(subnets.add_subnet(site, by=owner, lan=LAN), by=owner)
    row = subnets.add_subnet(site, by=owner, lan="fd01:2:3::/64", name="six")
    subnets.approve_subnet(row, by=owner)
    assert parts(other.node)["routes"] == f"fd01:2:3::/64 {other.node.address}\n"


@pytest.mark.django_db
def test_a_device_announces_and_withdraws(site: Member, other: Member, owner: User) -> None:
    receive(site.node, ways_lines.read(f"announce {LAN} fc94::/16 nonsense\n", 0))
    row = MemberSubnet.objects.get()
    assert (row.lan, row.is_announced, row.approved_at) == (LAN, True, None)
    subnets.approve_subnet(row, by=owner)
    site.node.refresh_from_db()
    receive(site.node, ways_lines.read(f"announce {LAN}\n", 0))
    assert "routes" in parts(other.node)
    site.node.refresh_from_db()
    receive(site.node, ways_lines.read("announce\n", 0))
    assert not MemberSubnet.objects.exists()
    assert "routes" not in parts(other.node)


@pytest.mark.django_db
def test_traffic_to_a_subnet_makes_its_pair_direct(
    site: Member, other: Member, routed: Any
) -> None:
    routed()
    hub = plans.relay()
    receive(hub, ways_lines.read(f"talk {other.ipv4_address} 192.168.1.44\n", 0))
    pair = Pair.objects.get()
    assert {pair.low_id, pair.high_id} == {site.node_id, other.node_id}
    Pair.objects.update(state=Pair.State.TRYING)
    carried = f"carry {pair.pk} {LAN}={other.ipv4_address},{site.ipv4_address}/32"
    assert carried in direct_paths.ways_text(other.node)
    assert LAN not in direct_paths.ways_text(site.node)


@pytest.mark.django_db
def test_a_member_that_goes_takes_its_subnets_along(
    site: Member, other: Member, owner: User, routed: Any
) -> None:
    routed()
    site.delete()
    assert "routes" not in parts(other.node)
    assert "routes" not in parts(plans.relay())


@pytest.mark.django_db
def test_the_api_enters_approves_lists_and_removes(
    site: Member, owner: User, network: Network, api: Any
) -> None:
    client, at = api(owner), f"{BASE}/{network.pk}/subnets/"
    made = client.post(at, {"member": site.pk, "lan": LAN}, format="json")
    assert (made.status_code, made.json()["approved_at"]) == (201, None)
    row = f"{at}{made.json()['id']}/"
    assert client.get(f"{at}?is_approved=true").json()["count"] == 0
    said = client.post(f"{row}approve/", {"prefix": "auto"}, format="json").json()
    assert said["prefix"] == "10.64.0.0/24"
    assert client.get(f"{at}?is_approved=true").json()["count"] == 1
    assert client.post(at, {"member": site.pk, "lan": LAN}, format="json").status_code == 409
    bad = client.post(at, {"member": site.pk, "lan": "x"}, format="json")
    assert (bad.status_code, list(bad.json())) == (400, ["lan"])
    member = factories.user()
    factories.share(network, member)
    assert api(member).get(at).json()["count"] == 1
    assert api(member).delete(row).status_code == 403
    assert api(factories.user()).get(at).status_code == 404
    with pytest.raises(NotPermitted):
        subnets.add_subnet(site, by=member, lan="192.168.2.0/24")
    assert client.delete(row).status_code == 204


@pytest.mark.django_db
def test_the_page_enters_approves_and_removes(
    site: Member, owner: User, network: Network, client: Any
) -> None:
    client.force_login(owner)
    page = f"/admin/networks/network/{network.pk}"
    data = {"member": site.pk, "lan": LAN, "prefix": "auto", "masquerade": "on"}
    client.post(f"{page}/do/add-subnet/", data)
    row = MemberSubnet.objects.get()
    assert row.prefix == "10.64.0.0/24"
    assert "subnet:site-lan" in client.get(f"{page}/change/").content.decode()
    client.post(f"{page}/do/remove-subnet/", {"subnet": row.pk})
    receive(site.node, ways_lines.read(f"announce {LAN}\n", 0))
    row = MemberSubnet.objects.get()
    client.post(f"{page}/do/approve-subnet/", {"subnet": row.pk})
    row.refresh_from_db()
    assert row.prefix == LAN
