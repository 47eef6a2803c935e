"""Joining devices: join codes, claim links, and the real client over HTTP."""

import os
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from controller.accounts.models import User
from controller.base.errors import NotFound
from networks.overlay.engine.keys import wireguard_pair
from networks.overlay.models import JoinCode, Member, Network, Node
from networks.overlay.rules import add_by_link, approve, remove_member
from networks.overlay.rules.join_codes import create_code, join_code, static_member
from networks.overlay.rules.plans import relay
from tests import factories

CLIENT = Path(__file__).parents[2] / "agents/muster-join"


@pytest.fixture
def network(db: Any) -> Network:
    return factories.network(factories.user(), "Robots")


def code_of(network: Network, **values: Any) -> str:
    code = create_code(network, by=network.owner, **values)
    return join_code(code, relay())


def join(code: str, **values: Any) -> Any:
    body = {"code": code, "public_key": wireguard_pair()[1], "hostname": "robot"} | values
    return Client().post("/api/join/", body, content_type="application/json")


def test_a_device_joins_with_a_code_and_is_told_what_it_needs(network: Network) -> None:
    answer = join(code_of(network))
    told = answer.json()
    assert answer.status_code == 200
    assert list(told) == ["status", "device-id", "device-token", "name", "relay", "poll"]
    assert (told["status"], told["name"]) == ("ok", "robot")
    assert told["relay"]["public_key"] == relay().public_key
    node = Node.objects.get(address=told["device-id"])
    assert node.owner == network.owner
    assert network.members.get().node == node
    config = Client().post(
        "/api/join/config/", headers={"authorization": f"Device {told['device-token']}"}
    )
    assert "== wg.conf\n[Interface]\nListenPort" in config.content.decode()
    assert f"{node.address} robot robot.robots-{network.pk}.mesh" in config.content.decode()


def test_what_is_known_already_is_not_told_again(network: Network) -> None:
    token = join(code_of(network)).json()["device-token"]
    revision = Node.objects.get(is_relay=False).revision
    said = Client().post(
        "/api/join/config/",
        {"revision": revision},
        headers={"authorization": f"Device {token}"},
    )
    assert said.content == b"same\n"


def test_a_name_that_somebody_has_gets_a_number(network: Network) -> None:
    code = code_of(network)
    assert [join(code).json()["name"] for _ in range(3)] == ["robot", "robot-2", "robot-3"]


def test_the_same_key_again_is_the_same_device_and_may_come_into_more_networks(
    network: Network,
) -> None:
    public = wireguard_pair()[1]
    told = join(code_of(network), public_key=public).json()
    other = factories.network(network.owner)
    again = {"public_key": public, "token": told["device-token"]}
    for code in (code_of(network), code_of(other)):
        answer = join(code, **again)
        assert answer.json()["device-id"] == told["device-id"]
    node = Node.objects.get(public_key=public)
    assert set(node.memberships.values_list("network", flat=True)) == {network.pk, other.pk}


def test_nobody_speaks_for_the_key_of_another(network: Network) -> None:
    public = wireguard_pair()[1]
    join(code_of(network), public_key=public)
    other = factories.network(factories.user())
    answer = join(code_of(other), public_key=public, token="guessed")
    assert (answer.status_code, answer.json()["status"]) == (403, "invalid-code")
    assert not other.members.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda code: JoinCode.objects.update(revoked=timezone.now()),
        lambda code: JoinCode.objects.update(expires_at=timezone.now() - timedelta(seconds=1)),
        lambda code: JoinCode.objects.update(max_uses=1, uses=1),
    ],
    ids=["revoked", "expired", "used up"],
)
def test_a_code_that_is_good_no_more_lets_nobody_in(network: Network, spoil: Any) -> None:
    code = code_of(network)
    spoil(code)
    answer = join(code)
    assert (answer.status_code, answer.json()["status"]) == (403, "invalid-code")
    assert not Node.objects.filter(is_relay=False).exists()


@pytest.mark.parametrize("code", ["", "x", "fc94::1/x", 7, None, ["x"], "fc94::1/" + "x" * 22])
def test_what_is_no_code(network: Network, code: Any) -> None:
    assert join(code).status_code == 403


def test_a_code_for_another_relay_is_none(network: Network) -> None:
    secret = code_of(network).partition("/")[2]
    assert join(f"fc94::1/{secret}").status_code == 403


@pytest.mark.parametrize("key", ["", "x", None, 7, "A" * 43 + "="])
def test_what_is_no_key_joins_nothing(network: Network, key: Any) -> None:
    assert join(code_of(network), public_key=key).status_code == 400
    assert not network.members.exists()


def test_a_bad_host_name_joins_nothing(network: Network) -> None:
    answer = join(code_of(network), hostname="Not A Name")
    assert answer.json() == {"status": "invalid-hostname"}
    assert not network.members.exists()


def test_a_device_that_needs_approval_waits_for_it(network: Network) -> None:
    answer = join(code_of(network, needs_approval=True))
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    token = {"authorization": f"Device {answer.json()['device-token']}"}
    assert b"wg.conf" not in Client().post("/api/join/config/", headers=token).content
    member = network.members.get()
    assert member.state == Member.State.PENDING
    approve(member, by=network.owner)
    assert b"wg.conf" in Client().post("/api/join/config/", headers=token).content


def test_a_code_counts_and_ends_after_its_last_use(network: Network) -> None:
    code = code_of(network, max_uses=2)
    assert [join(code).status_code for _ in range(3)] == [200, 200, 403]


@pytest.mark.parametrize("path", ["config", "leave"])
def test_without_its_token_a_device_is_told_nothing(network: Network, path: str) -> None:
    for header in ({}, {"authorization": "Device wrong"}, {"authorization": "Token x"}):
        assert Client().post(f"/api/join/{path}/", headers=header).status_code == 401


def test_attempts_to_join_are_limited(network: Network, settings: Any) -> None:
    settings.MUSTER_JOINS_PER_MINUTE = 2
    answers = [join("x") for _ in range(3)]
    assert [one.status_code for one in answers] == [403, 403, 429]
    assert answers[-1].json()["status"] == "too-many-requests"


def test_a_phone_gets_a_configuration_once(network: Network) -> None:
    with pytest.raises(NotFound, match="relay"):
        static_member(network, by=network.owner, name="phone")
    Node.objects.filter(is_relay=True).update(endpoint="192.0.2.1:51820")
    member, text = static_member(network, by=network.owner, name="phone")
    assert "PrivateKey = " in text
    assert f"Address = {member.node.address}/128" in text
    assert "Endpoint = 192.0.2.1:51820" in text
    assert member.node.private_key == ""


# --- the join client


class Agent:
    """muster-join on a device of its own, without an interface."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "MUSTER_ROOT": str(folder / "root"), "MUSTER_OVERLAY_INTERFACE": "none",
        }  # fmt: skip

    def __call__(self, *words: str, shell: str = "sh") -> str:
        done = subprocess.run(
            [*shell.split(), str(CLIENT), *words], env=self.environment, capture_output=True,
            text=True, check=False, timeout=30,
        )  # fmt: skip
        return done.stdout + done.stderr

    def file(self, name: str) -> str:
        path = self.folder / "root" / name
        return path.read_text() if path.exists() else ""


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path / "device")


@pytest.fixture
def someone(live_server: Any) -> User:
    return factories.user()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("shell", ["sh", "busybox sh"])
def test_the_client_joins_applies_and_leaves(
    live_server: Any, agent: Agent, someone: User, shell: str
) -> None:
    network = factories.network(someone)
    said = agent("join", live_server.url, code_of(network), "robot", shell=shell)
    node = network.members.get().node
    assert said == f"Joined as robot, {node.address}\n"
    private = agent.folder / "root/etc/muster/overlay/private"
    assert private.stat().st_mode & 0o777 == 0o600
    assert f"{node.address} robot" in agent.file("etc/hosts")
    factories.member(network, name="other")
    agent("pull", shell=shell)
    assert " other other." in agent.file("etc/hosts")
    assert agent.file("etc/muster/overlay/revision").strip() == str(
        Node.objects.get(pk=node.pk).revision
    )
    agent("leave", shell=shell)
    assert not network.members.filter(node=node).exists()
    assert "robot" not in agent.file("etc/hosts")


@pytest.mark.django_db(transaction=True)
def test_the_client_prints_a_link_that_adds_it(
    live_server: Any, agent: Agent, someone: User
) -> None:
    network = factories.network(someone)
    printed = agent("websetup", live_server.url).splitlines()[-1]
    assert printed.startswith(f"{live_server.url}/husarnet/fc94")
    member = add_by_link(network, by=someone, link=printed, name="robot", is_fully_managed=True)
    agent("pull")
    assert agent.file("etc/hostname") == "robot\n"
    remove_member(member, by=someone)
    agent("pull")
    assert "robot" not in agent.file("etc/hosts")


@pytest.mark.django_db(transaction=True)
def test_the_client_leaves_other_lines_of_the_hosts_file_alone(
    live_server: Any, agent: Agent, someone: User
) -> None:
    hosts = agent.folder / "root/etc/hosts"
    hosts.parent.mkdir(parents=True)
    hosts.write_text("127.0.0.1 localhost\n192.0.2.7 printer # mine\n")
    agent("join", live_server.url, code_of(factories.network(someone)), "robot")
    assert agent.file("etc/hosts").startswith("127.0.0.1 localhost\n192.0.2.7 printer # mine\n")
    agent("leave")
    assert agent.file("etc/hosts") == "127.0.0.1 localhost\n192.0.2.7 printer # mine\n"


@pytest.mark.django_db(transaction=True)
def test_the_client_tells_why_it_could_not_join(live_server: Any, agent: Agent) -> None:
    assert "invalid-code" in agent("join", live_server.url, "fc94::1/nothing")


def test_the_client_is_there_to_be_fetched(db: Any) -> None:
    assert Client().get("/api/join/muster-join").content == CLIENT.read_bytes()
