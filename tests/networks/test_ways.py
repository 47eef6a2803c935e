"""Direct ways: what agents report, what follows from it, what they are told."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from networks.overlay.engine.keys import wireguard_pair
from networks.overlay.models import Network, Node, Pair, Sighting
from networks.overlay.rules import agent_tokens, direct_paths, remove_member, set_policy
from networks.overlay.rules.join_codes import create_code, join_code
from networks.overlay.rules.plans import relay
from tests import factories


class Agent:
    """A member that reports over HTTP."""

    def __init__(self, node: Node, token: str) -> None:
        self.node, self.token = node, token

    def says(self, *lines: str, seen: str = "") -> Any:
        return Client().post(
            "/api/join/ways/",
            {"report": "\n".join(lines), "seen": seen},
            headers={"authorization": f"Device {self.token}"},
        )

    def told(self, *lines: str) -> list[list[str]]:
        """Report, and return the words of what it is told of pairs."""
        answer = self.says(*lines)
        assert answer.status_code == 200, answer.content
        text = answer.content.decode()
        return [line.split() for line in text.splitlines() if line.startswith("pair ")]


@pytest.fixture
def network(db: Any) -> Network:
    return factories.network(factories.user(), "Robots")


@pytest.fixture
def hub(network: Network) -> Agent:
    return Agent(relay(), agent_tokens.token_of(relay()))


def joined(network: Network, name: str) -> Agent:
    code = join_code(create_code(network, by=network.owner), relay())
    body = {"code": code, "public_key": wireguard_pair()[1], "hostname": name}
    told = Client().post("/api/join/", body, content_type="application/json").json()
    return Agent(Node.objects.get(name=name), told["device-token"])


@pytest.fixture
def both(network: Network, hub: Agent) -> tuple[Agent, Agent]:
    """Return two members that the relay sees, and sees talking."""
    one, other = joined(network, "one"), joined(network, "other")
    for agent in (one, other):
        agent.says("at 10.0.0.2", "able")
    sight(hub, one, "203.0.113.1:20001")
    sight(hub, other, "203.0.113.2:20002")
    hub.says(talk(one, other))
    return one, other


def sight(hub: Agent, agent: Agent, endpoint: str) -> None:
    hub.says(f"sight {agent.node.public_key} {endpoint}")


def talk(one: Agent, other: Agent) -> str:
    return f"talk {one.node.address} {other.node.address}"


def test_members_that_talk_are_told_of_each_other(both: tuple[Agent, Agent]) -> None:
    one, other = both
    (line,) = one.told()
    pair = Pair.objects.get()
    assert line[1] == str(pair.pk)
    assert line[2] == other.node.public_key
    assert line[3] == str(other.node.address)
    assert line[5:] == ["1", "0", "observed=203.0.113.2:20002"]
    (line,) = other.told()
    assert line[5:] == ["1", "0", "observed=203.0.113.1:20001"]


def test_a_pair_is_direct_when_both_ends_say_so_and_no_revision_changes(
    both: tuple[Agent, Agent],
) -> None:
    one, other = both
    pair = Pair.objects.get()
    before = list(Node.objects.order_by("pk").values_list("revision", flat=True))
    one.says(f"pair {pair.pk} 1 direct 203.0.113.2:20002 0.8 used")
    pair.refresh_from_db()
    assert pair.state == Pair.State.TRYING
    other.says(f"pair {pair.pk} 1 direct 203.0.113.1:20001 0.9")
    pair.refresh_from_db()
    assert pair.state == Pair.State.DIRECT
    assert list(Node.objects.order_by("pk").values_list("revision", flat=True)) == before


def test_what_is_known_is_not_told_again(both: tuple[Agent, Agent]) -> None:
    one, _ = both
    text = one.says().content.decode()
    again = one.says(seen=text.split()[1])
    assert again.status_code == 204
    assert again["Muster-Wait"] == f"{one.node.pk} {direct_paths.wait_seconds()}"


def test_a_member_that_moves_is_tried_at_once(hub: Agent, both: tuple[Agent, Agent]) -> None:
    one, other = both
    sight(hub, other, "203.0.113.99:1234")
    (line,) = one.told()
    assert line[5] == "2"
    assert line[7] == "observed=203.0.113.99:1234"


def test_a_report_that_says_nothing_new_writes_nothing(both: tuple[Agent, Agent]) -> None:
    one, _other = both
    line = f"pair {Pair.objects.get().pk} 1 direct 203.0.113.2:20002 0.8 used"
    seen = one.says("at 10.0.0.2", "able", line).content.decode().split()[1]
    with CaptureQueriesContext(connection) as queries:
        assert one.says("at 10.0.0.2", "able", line, seen=seen).status_code == 204
    written = [each["sql"] for each in queries if each["sql"].startswith(("INSERT", "UPDATE"))]
    assert [sql for sql in written if "last_seen" not in sql] == []


def test_members_alone_see_nobody_and_report_of_their_own_pairs_alone(
    network: Network, both: tuple[Agent, Agent]
) -> None:
    one, _other = both
    third = joined(network, "third")
    pair = Pair.objects.get()
    third.says(
        f"pair {pair.pk} 1 direct 203.0.113.2:20002 0.8",
        f"sight {one.node.public_key} 192.0.2.66:53",
        talk(one, third),
    )
    pair.refresh_from_db()
    assert pair.low_evidence == {}
    assert not Sighting.objects.filter(endpoint__startswith="192.0.2.66").exists()
    assert Pair.objects.count() == 1


def test_strangers_that_talk_through_the_relay_become_no_pair(
    network: Network, hub: Agent, both: tuple[Agent, Agent]
) -> None:
    one, _ = both
    stranger = joined(factories.network(network.owner, "Others"), "stranger")
    stranger.says("able")
    hub.says(talk(one, stranger))
    assert Pair.objects.count() == 1
    assert stranger.told() == []


def test_a_member_that_is_removed_is_forgotten_by_its_partners(
    network: Network, both: tuple[Agent, Agent]
) -> None:
    one, other = both
    remove_member(other.node.memberships.get(), by=network.owner)
    assert one.told() == []
    assert other.told() == []


def test_a_policy_that_forbids_all_ends_the_direct_way(
    network: Network, hub: Agent, both: tuple[Agent, Agent]
) -> None:
    one, other = both
    set_policy(network, by=network.owner, policy={"default": "deny"})
    assert one.told() == []
    hub.says(talk(one, other))
    assert not Pair.objects.exists()


def test_a_pair_that_nobody_uses_is_dropped(both: tuple[Agent, Agent]) -> None:
    one, _ = both
    long_ago = timezone.now() - timedelta(hours=1)
    Pair.objects.update(used=long_ago, due_at=long_ago)
    assert direct_paths.advance_due() == 1
    assert one.told() == []
    assert not Pair.objects.exists()


def test_a_pair_behind_two_symmetric_routers_says_why_and_is_not_tried(
    network: Network, hub: Agent, both: tuple[Agent, Agent]
) -> None:
    one, _other = both
    second = factories.node(None, "relay-2", is_relay=True, rank=1)
    for number, agent in enumerate(both):
        Sighting.objects.create(
            node=agent.node, relay=second, endpoint=f"203.0.113.{number + 1}:999",
            at=timezone.now(),
        )  # fmt: skip
    direct_paths.reconsider([one.node.pk])
    pair = Pair.objects.get()
    assert (pair.state, pair.reason) == (Pair.State.RELAY, "symmetric")
    assert one.told() == []


def test_a_token_of_another_key_or_of_nobody_is_refused(network: Network) -> None:
    node = relay()
    token = agent_tokens.token_of(node)
    node.public_key = wireguard_pair()[1]
    node.save()
    for bad in (token, "x", f"{token}x", ""):
        assert Agent(node, bad).says().status_code == 401


def test_how_members_reach_each_other_is_told_to_those_who_see_the_network(
    network: Network, both: tuple[Agent, Agent], api: Any
) -> None:
    one, other = both
    pair = Pair.objects.get()
    path = f"/api/v1/networks/{network.pk}/ways/"
    (shown,) = api(network.owner).get(path).json()["results"]
    assert (shown["state"], shown["kind"]) == ("trying", "")
    one.says(f"pair {pair.pk} 1 direct 203.0.113.2:20002 0.8")
    other.says(f"pair {pair.pk} 1 direct 203.0.113.1:20001 0.9")
    (shown,) = api(network.owner).get(path).json()["results"]
    assert [each["name"] for each in shown["members"]] == ["one", "other"]
    assert (shown["state"], shown["kind"]) == ("direct", "observed")
    assert (shown["round_trip_ms"], shown["sentence"]) == (0.8, "")
    assert shown["endpoints"] == ["203.0.113.1:20001", "203.0.113.2:20002"]
    assert api(network.owner).get(f"{path}?member=third").json()["results"] == []
    guest = factories.user()
    assert api(guest).get(path).status_code == 404
    factories.share(network, guest)
    (shown,) = api(guest).get(path).json()["results"]
    assert shown["endpoints"] == []


def test_what_both_ends_measure_on_a_direct_way_is_shown(
    both: tuple[Agent, Agent], network: Network, api: Any
) -> None:
    one, other = both
    pair = Pair.objects.get()
    path = f"/api/v1/networks/{network.pk}"
    assert api(network.owner).get(f"{path}/matrix/").json()["ways"] == [
        ["", "relay"],
        ["relay", ""],
    ]
    one.says(
        f"pair {pair.pk} 1 direct 203.0.113.2:20002 0.8", f"measured {pair.pk} 2 40 100 200"
    )
    other.says(
        f"pair {pair.pk} 1 direct 203.0.113.1:20001 0.7", f"measured {pair.pk} - 41 200 300"
    )
    (shown,) = api(network.owner).get(f"{path}/ways/").json()["results"]
    assert (shown["round_trip_ms"], shown["loss_percent"]) == (0.7, 2)
    assert shown["sent_bytes"] == [200, 300]
    age = timezone.now() - datetime.fromisoformat(shown["handshake_at"])
    assert 40 <= age.total_seconds() < 100
    matrix = api(network.owner).get(f"{path}/matrix/").json()
    assert matrix["ways"] == [["", "direct"], ["direct", ""]]
    # Of pairs of others nobody measures anything, and what is no measurement is left out.
    third = joined(network, "third")
    third.says(f"measured {pair.pk} 0 0 9 9", f"pair {pair.pk} 1 direct 203.0.113.2:20002 0.8")
    one.says(f"measured {pair.pk} 101 40 1 1", f"measured {pair.pk} 1 40 1 -1")
    (shown,) = api(network.owner).get(f"{path}/ways/").json()["results"]
    assert shown["sent_bytes"] == [200, 300]


def test_a_pair_on_the_relay_says_why(
    both: tuple[Agent, Agent], network: Network, api: Any
) -> None:
    one, _other = both
    pair = Pair.objects.get()
    for agent in both:
        agent.says(f"pair {pair.pk} 1 failed")
    (shown,) = api(network.owner).get(f"/api/v1/networks/{network.pk}/ways/").json()["results"]
    assert shown["reason"] == "shifts:low"
    assert shown["sentence"].startswith("No packet came through. The router of one changes")
    assert "next try" in shown["sentence"]
    one.says("unable nft", f"pair {pair.pk} 1 failed")
    (shown,) = api(network.owner).get(f"/api/v1/networks/{network.pk}/ways/").json()["results"]
    assert shown["sentence"].startswith("one has no nftables")


def test_a_member_that_slept_is_tried_at_once(both: tuple[Agent, Agent]) -> None:
    one, other = both
    pair = Pair.objects.get()
    for agent in both:
        agent.says(f"pair {pair.pk} 1 failed")
    assert other.told() == []
    one.says("awake")
    (line,) = other.told()
    assert line[5:7] == ["2", "0"]
    for agent in both:
        agent.says(f"pair {pair.pk} 2 failed")
    one.says("awake")
    # Not again and again: whoever says so all the time would keep others busy.
    assert other.told() == []


def test_a_member_may_send_to_any_relay_once_all_are_connected_with_all(
    both: tuple[Agent, Agent],
) -> None:
    one, other = both
    assert "relays" not in one.says().content.decode()
    Node.objects.filter(is_relay=True).update(endpoint="192.0.2.1:51820")
    factories.node(None, "relay-2", is_relay=True, rank=1, endpoint="192.0.2.2:51820")
    assert "relays first" in one.says("home 0 2").content.decode()
    assert "relays any" in other.says("home 1 2").content.decode()
    factories.member(one.node.memberships.get().network, name="phone", key_mode="static")
    assert "relays first" in one.says().content.decode()
