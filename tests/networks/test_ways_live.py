"""Direct ways through real NATs: namespaces as routers, WireGuard, the real agent."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from networks.overlay.models import Member, MemberSubnet, Network, Node, Pair
from networks.overlay.rules import plans, remove_member, set_policy, update_network
from networks.overlay.rules.join_codes import create_code, join_code
from networks.overlay.rules.plans import relay
from networks.overlay.rules.subnets import add_subnet, approve_subnet
from tests import factories
from tests.fleet.namespaces import run, why_not
from tests.fleet.nat import Machine, NatLab, until
from tests.fleet.overlay import NEEDED

pytestmark = [pytest.mark.netns, pytest.mark.once, pytest.mark.django_db(transaction=True)]

# Longer than an agent takes for being busy.
SLEEP_SECONDS = 8


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[NatLab]:
    if reason := why_not(*NEEDED):
        pytest.skip(reason)
    with NatLab(tmp_path) as made:
        yield made


@pytest.fixture
def url(lab: NatLab, live_server: Any, settings: Any) -> str:
    settings.ALLOWED_HOSTS = ["*"]
    # Django's server lets ten connections wait; the agents of a lab begin more at once.
    live_server.thread.httpd.socket.listen(128)
    return lab.serve(live_server.thread.host, live_server.thread.port)


@pytest.fixture
def network(db: Any) -> Network:
    return factories.network(factories.user(), "Robots")


@pytest.fixture
def hub(lab: NatLab, url: str, network: Network) -> Machine:
    machine = lab.relay()
    Node.objects.filter(pk=relay().pk).update(
        endpoint=f"{lab.public(machine)}:51820", port=51820
    )
    machine.serve(relay(), url)
    machine.start_agent()
    return machine


@pytest.fixture
def joined(lab: NatLab, hub: Machine, network: Network, url: str) -> Callable[..., Machine]:
    def join(name: str, *kinds: str) -> Machine:
        machine = lab.member(name, *kinds)
        code = join_code(create_code(network, by=network.owner), relay())
        machine.client("join", url, code, name)
        return machine

    return join


def start(hub: Machine, url: str, *machines: Machine) -> None:
    hub.serve(relay(), url)
    for one in machines:
        one.client("pull")
        one.start_agent()


def address(name: str) -> str:
    return str(Node.objects.get(name=name).address)


def test_two_members_behind_port_restricted_routers_reach_each_other_directly(
    joined: Callable[..., Machine], hub: Machine, url: str
) -> None:
    one, other = joined("one", "port"), joined("other", "port")
    start(hub, url, one, other)
    until(lambda: one.sees(address("other")))
    traffic = one.pinging(address("other"))
    until(lambda: one.sends_directly(address("other")))
    until(lambda: other.sends_directly(address("one")))
    until(lambda: Pair.objects.get().state == Pair.State.DIRECT)
    assert traffic.own_silence() < 1

    traffic = one.pinging(address("other"))
    hub.kill()
    assert one.sees(address("other"), count=10)
    assert traffic.own_silence() < 1


def test_a_member_whose_router_gets_another_address_is_found_again_within_seconds(
    lab: NatLab, joined: Callable[..., Machine], hub: Machine, url: str
) -> None:
    one, other = joined("one", "port"), joined("other", "port")
    start(hub, url, one, other)
    until(lambda: one.sees(address("other")))
    until(lambda: Pair.objects.filter(state=Pair.State.DIRECT).exists(), 60)
    before = Pair.objects.get().round
    traffic = one.pinging(address("other"))
    lab.move(one, "198.51.100.77")
    until(lambda: Pair.objects.get().round > before)
    until(lambda: Pair.objects.get().state == Pair.State.DIRECT, 60)
    until(lambda: one.sends_directly(address("other")) and other.sends_directly(address("one")))
    # What is lost is what the relay has to notice first: its member sends from elsewhere.
    assert traffic.own_silence() < 5


def test_both_members_move_at_once_and_find_each_other_again(
    lab: NatLab, joined: Callable[..., Machine], hub: Machine, url: str
) -> None:
    one, other = joined("one", "port"), joined("other", "port")
    start(hub, url, one, other)
    until(lambda: one.sees(address("other")))
    until(lambda: Pair.objects.filter(state=Pair.State.DIRECT).exists(), 60)
    traffic = one.pinging(address("other"))
    lab.move(one, "198.51.100.77")
    lab.move(other, "198.51.100.78")
    until(lambda: endpoints() == {"198.51.100.77", "198.51.100.78"}, 60)
    until(lambda: one.sends_directly(address("other")) and other.sends_directly(address("one")))
    assert traffic.own_silence() < 10


def endpoints() -> set[str]:
    """Return the addresses at which the ends of the only pair reach each other, if directly."""
    pair = Pair.objects.get()
    if pair.state != Pair.State.DIRECT:
        return set()
    ends = (pair.low_evidence, pair.high_evidence)
    return {one.get("endpoint", "").rpartition(":")[0] for one in ends}


def test_a_member_that_slept_is_direct_again_within_seconds(
    lab: NatLab, joined: Callable[..., Machine], hub: Machine, url: str
) -> None:
    one, other = joined("one", "port"), joined("other", "port")
    start(hub, url, one, other)
    until(lambda: one.sees(address("other")))
    until(lambda: Pair.objects.filter(state=Pair.State.DIRECT).exists(), 60)
    wake_up, began = one.fall_asleep(), time.monotonic()
    # The other gives the way up, and a try to find another fails.
    until(lambda: Pair.objects.get().tries > 0, 90)
    assert Pair.objects.get().state == Pair.State.RELAY
    until(lambda: time.monotonic() - began > SLEEP_SECONDS)
    wake_up()
    until(lambda: one.sees(address("other")), 20)
    # Much earlier than the next try without a reason.
    until(lambda: Pair.objects.get().state == Pair.State.DIRECT, 30)
    until(lambda: one.sends_directly(address("other")) and other.sends_directly(address("one")))


@pytest.mark.parametrize("way", ["hairpin", "inside"])
def test_customers_of_one_carrier_reach_each_other(
    lab: NatLab, hub: Machine, url: str, network: Network, way: str
) -> None:
    carrier = lab.carrier()
    members = [lab.customer(name, carrier, has_router=way == "hairpin") for name in "ab"]
    code = join_code(create_code(network, by=network.owner), relay())
    for one in members:
        one.client("join", url, code, one.name)
    if way == "hairpin":
        ports = {one: Node.objects.get(name=one.name).ports[1] for one in members}
        lab.hairpin(carrier, ports)
    start(hub, url, *members)
    until(lambda: members[0].sees(address("b")))
    until(lambda: Pair.objects.filter(state=Pair.State.DIRECT).exists(), 60)
    place = "198.51.100." if way == "hairpin" else "100.64."
    assert all(one.startswith(place) for one in endpoints())


def test_who_may_not_reach_a_member_does_not_by_a_direct_way_either(
    joined: Callable[..., Machine], hub: Machine, url: str, network: Network
) -> None:
    one, other = joined("one", "port"), joined("other", "cone")
    rule = {"action": "allow", "from": ["one"], "to": ["other"], "protocol": "icmp"}
    set_policy(network, by=network.owner, policy={"default": "deny", "rules": [rule]})
    start(hub, url, one, other)
    until(lambda: one.sees(address("other")))
    until(
        lambda: one.sends_directly(address("other")) and other.sends_directly(address("one")),
        60,
    )
    # Against the policy, directly: the member itself refuses it.
    assert not other.sees(address("one"), wait=1)
    assert one.sees(address("other"))

    # A partner that does not obey keeps its peer and its route, and reaches nothing.
    one.stop_agent()
    remove_member(Member.objects.get(node__name="one"), by=network.owner)
    hub.serve(relay(), url)
    until(lambda: not other.knows(one))
    assert one.sends_directly(address("other"))
    assert not one.sees(address("other"), count=3, wait=1)


def test_ipv4_goes_by_the_relay_and_directly_as_ipv6_does(
    joined: Callable[..., Machine], hub: Machine, url: str, network: Network
) -> None:
    one, other = joined("one", "port"), joined("other", "port")
    update_network(network, by=network.owner, ipv4_range="10.64.7.0/24")
    start(hub, url, one, other)
    until(lambda: one.sees("10.64.7.2"))
    # A program that speaks IPv4 alone is enough for a pair to become direct.
    until(lambda: one.sends_directly("10.64.7.2") and other.sends_directly("10.64.7.1"), 60)
    assert one.sees("10.64.7.2")
    assert "10.64.7.2 other other." in (one.root / "etc/hosts").read_text()

    # A network that the member is in has the range: it keeps it.
    run("ip", "-n", one.space, "link", "add", "lan", "type", "bridge")
    run("ip", "-n", one.space, "address", "add", "10.64.7.77/24", "dev", "lan")
    run("ip", "-n", one.space, "link", "set", "lan", "up")
    until(lambda: "10.64.7.0/24" in Node.objects.get(name="one").offers.get("shadowed", ()))
    assert one.sends_by("10.64.7.9") == "lan"


@pytest.fixture
def site(
    lab: NatLab, joined: Callable[..., Machine], network: Network
) -> tuple[Machine, Machine]:
    """Return a member and a host in its LAN."""
    update_network(network, by=network.owner, ipv4_range="10.64.7.0/24")
    member = joined("site", "cone")
    return member, lab.behind(member, "192.168.1.10")


def allow(network: Network, *, but: list[str]) -> None:
    """Set a policy that keeps these from the subnet of the site."""
    rules = [
        {"action": "deny", "from": but, "to": ["subnet:site-lan"]},
        {"action": "allow", "from": ["*"], "to": ["*"]},
    ]
    set_policy(network, by=network.owner, policy={"default": "deny", "rules": rules})


def test_a_subnet_behind_a_member_is_reached_as_the_policy_allows_and_by_no_other_way(
    site: tuple[Machine, Machine], joined: Any, hub: Machine, url: str, network: Network
) -> None:
    (member, camera), one, guest = site, joined("one", "port"), joined("guest", "port")
    member.client("announce", "192.168.1.0/24")
    start(hub, url, one, member, guest)
    # What a device announces is routed when somebody approves it, here mapped to another range.
    until(MemberSubnet.objects.exists)
    assert not one.sees("192.168.1.10", wait=1)
    approve_subnet(MemberSubnet.objects.get(), by=network.owner, prefix="10.77.3.0/24")
    allow(network, but=["guest"])
    hub.serve(relay(), url)
    until(lambda: one.sees("10.77.3.10"))
    until(
        lambda: one.sends_directly("10.77.3.10") and member.sends_directly(address("one")), 60
    )
    assert one.sees("10.77.3.10")
    assert not one.sees("10.77.3.11", wait=1)
    # Its hosts begin nothing.
    assert not camera.sees(str(Member.objects.get(node__name="one").ipv4_address), wait=1)

    # Against the policy: no route, and nothing comes through with one of one's own.
    at = str(Member.objects.get(node__name="guest").ipv4_address)
    assert guest.sees(address("site"))
    assert guest.sends_by("10.77.3.10") == "eth0"
    until(lambda: guest.sends_directly(address("site")), 60)
    for interface in (guest.interface, guest.direct):
        force(guest, interface, at)
        assert not guest.sees("10.77.3.10", wait=1)
        assert not guest.sees("192.168.1.10", wait=1)

    # Who is revoked reaches nothing, though it keeps its routes and peers.
    one.stop_agent()
    remove_member(Member.objects.get(node__name="one"), by=network.owner)
    hub.serve(relay(), url)
    until(lambda: not member.knows(one))
    assert not one.sees("10.77.3.10", count=2, wait=1)


def force(machine: Machine, interface: str, source: str) -> None:
    """Send all to a subnet by an interface, as a member that does not obey may."""
    machine.widen(interface, "fc94::/16,10.64.7.0/24,10.77.3.0/24,192.168.1.0/24")
    for target in ("10.77.3.0/24", "192.168.1.0/24"):
        words = ("route", "replace", target, "dev", interface, "src", source)
        run("ip", "-n", machine.space, *words)


def test_a_policy_that_changes_ends_a_connection_with_a_subnet(
    site: tuple[Machine, Machine], joined: Any, hub: Machine, url: str, network: Network
) -> None:
    (member, camera), one = site, joined("one", "port")
    row = add_subnet(
        Member.objects.get(node__name="site"), by=network.owner, lan="192.168.1.0/24"
    )
    approve_subnet(row, by=network.owner)
    start(hub, url, one, member)
    until(lambda: one.sees("192.168.1.10"))
    # A connection that goes on while the policy changes, of which the server alone sends.
    stream = one.reads_stream(camera, "192.168.1.10")
    until(stream.grows)
    allow(network, but=["one"])
    hub.serve(relay(), url)
    until(lambda: not stream.grows())
    assert not one.sees("192.168.1.10", wait=1)


@pytest.mark.skipif(
    not (shutil.which("dnsmasq") and shutil.which("dig")),
    reason="there is no dnsmasq, or no dig",
)
def test_a_relay_answers_for_the_names_of_the_networks_of_whoever_asks(
    lab: NatLab, joined: Callable[..., Machine], hub: Machine, url: str, network: Network
) -> None:
    one, other = joined("one", "port"), joined("other", "port")
    foreign = factories.network(network.owner, "Foreign")
    factories.member(foreign, name="hidden")
    for each in (network, foreign):
        update_network(each, by=network.owner, has_resolver=True, ipv4_range="auto")
    folder = one.root / "etc/dnsmasq.d"
    folder.mkdir()
    start(hub, url, one, other)
    until(lambda: one.sees(address("other")))
    # The member's own dnsmasq asks the relay for the zones of its networks alone.
    one.start(
        "dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--user=root", "--pid-file",
        "--conf-file=/dev/null", f"--conf-dir={folder}", "--listen-address=127.0.0.1",
        "--bind-interfaces", "--stop-dns-rebind",
    )  # fmt: skip
    zone, at = f"{network.slug}.mesh", Member.objects.get(node__name="other").ipv4_address
    until(lambda: one.asks(f"other.{zone}", "AAAA") == [address("other")])
    assert one.asks(f"other.{zone}", "A") == [at]
    assert one.asks("-x", address("other")) == [f"other.{zone}."]
    assert one.asks("-x", str(at)) == [f"other.{zone}."]
    assert one.asks(f"nobody.{zone}", "AAAA") == []
    assert one.asks("example.org", "A") == []

    # Another network's resolver does not answer, and ours does not know its names.
    lines = (hub.folder / "resolvers").read_text().splitlines()
    servers = {line.split()[2]: line.split()[1] for line in lines if line[0] == "r"}
    name = f"hidden.{foreign.slug}.mesh"
    assert one.asks(f"@{servers[str(network.pk)]}", name, "AAAA") == []
    assert one.asks(f"@{servers[str(network.pk)]}", f"one.{zone}", "AAAA") == [address("one")]
    assert one.asks(f"@{servers[str(foreign.pk)]}", name, "AAAA") is None

    # Who has left is not found any more.
    remove_member(Member.objects.get(node__name="other"), by=network.owner)
    hub.serve(relay(), url)
    until(lambda: one.asks(f"other.{zone}", "AAAA") == [])


def test_a_relay_that_dies_is_replaced_by_the_other(
    lab: NatLab, joined: Callable[..., Machine], hub: Machine, url: str
) -> None:
    one, other = joined("one", "symmetric"), joined("other", "symmetric")
    second = lab.relay("hub-2")
    row = plans.new_relay("relay-2", 1)
    row.endpoint, row.port = f"{lab.public(second)}:51820", 51820
    row.save()
    Node.objects.touch()
    second.serve(row, url)
    second.start_agent()
    start(hub, url, one, other)
    until(lambda: one.sees(address("other")))
    # Two relays see two ports of one member: such a pair is not even tried.
    until(lambda: Pair.objects.filter(reason="symmetric").exists())
    traffic = one.pinging(address("other"))
    hub.kill()
    until(lambda: one.sends_by(address("other")) == f"{one.interface}r1")
    # The other end changes by itself, within its own interval.
    until(lambda: one.sees(address("other"), count=5))
    assert traffic.own_silence() < 6


def test_neighbors_behind_one_router_reach_each_other_inside(
    lab: NatLab, joined: Callable[..., Machine], hub: Machine, url: str, network: Network
) -> None:
    one = joined("one", "symmetric")
    other = lab.neighbor("other", one)
    code = join_code(create_code(network, by=network.owner), relay())
    other.client("join", url, code, "other")
    start(hub, url, one, other)
    until(lambda: one.sees(address("other")))
    until(lambda: Pair.objects.filter(state=Pair.State.DIRECT).exists(), 60)
    evidence = Pair.objects.get().low_evidence
    assert evidence["endpoint"].startswith("10.9.1.2:")


def test_a_direct_way_that_breaks_is_left_within_a_second_and_taken_again(
    lab: NatLab, joined: Callable[..., Machine], hub: Machine, url: str
) -> None:
    one, other = joined("one", "port"), joined("other", "port")
    start(hub, url, one, other)
    traffic = one.pinging(address("other"))
    until(
        lambda: one.sends_directly(address("other")) and other.sends_directly(address("one")),
        60,
    )
    until(lambda: Pair.objects.get().state == Pair.State.DIRECT)
    traffic.longest_silence()
    traffic = one.pinging(address("other"))
    heal = lab.cut(one, Node.objects.get(name="one").ports[1])
    until(lambda: not one.sends_directly(address("other")))
    until(lambda: not other.sends_directly(address("one")))
    until(lambda: one.sees(address("other")))
    silence = traffic.own_silence()
    heal()
    # Three probes of a quarter of a second stay out, and the agent looks each fifth of one.
    assert silence < 1.25
    until(lambda: one.sees(address("other")) and one.sends_directly(address("other")), 90)


def test_ipv6_is_used_where_both_routers_are_symmetric(
    lab: NatLab, joined: Callable[..., Machine], hub: Machine, url: str
) -> None:
    one, other = joined("one", "symmetric"), joined("other", "symmetric")
    lab.give_ipv6(one)
    there = lab.give_ipv6(other)
    start(hub, url, one, other)
    until(lambda: one.sees(address("other")))
    until(lambda: Pair.objects.filter(state=Pair.State.DIRECT).exists(), 60)
    assert Pair.objects.get().low_evidence["endpoint"].startswith(f"[{there}]:")


@pytest.mark.skipif(not shutil.which("natpmpc"), reason="there is no natpmpc")
def test_a_port_that_the_router_maps_is_used_where_nothing_else_gets_through(
    lab: NatLab, joined: Callable[..., Machine], hub: Machine, url: str
) -> None:
    one, other = joined("one", "port"), joined("other", "symmetric")
    lab.map_ports(other)
    start(hub, url, one, other)
    until(lambda: Node.objects.get(name="other").offers.get("mapped_port", 0) > 0, 60)
    until(lambda: one.sees(address("other")))
    until(lambda: Pair.objects.filter(state=Pair.State.DIRECT).exists(), 60)
