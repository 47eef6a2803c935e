"""Real overlays: namespaces as devices, WireGuard, pushes by the portal.

Each test starts with API calls and ends with a device's reachability.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.accounts.models import Organization, User
from controller.configs.models import Push
from controller.configs.rules import overlay_sync, push_worker
from controller.devices.models import Device
from networks.overlay.models import Member, Network, Node
from networks.overlay.rules import add_device, refresh, set_policy
from networks.overlay.rules.join_codes import static_member
from tests import factories
from tests.fleet.namespaces import run, why_not
from tests.fleet.overlay import NEEDED, Host, Lab

pytestmark = [
    pytest.mark.netns,
    pytest.mark.django_db(transaction=True),
]
SECONDS = 20


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    if reason := why_not(*NEEDED):
        pytest.skip(reason)
    with Lab(tmp_path) as made:
        yield made


@pytest.fixture
def owner(organization: Organization) -> User:
    return factories.user(organization)


@pytest.fixture
def devices(lab: Lab, organization: Organization) -> Callable[[Host, str], Device]:
    credentials: list[Any] = []

    def device(host: Host, name: str) -> Device:
        if not credentials:
            params = {"username": host.ssh.username, "key": host.ssh.private_key}
            credentials.append(factories.credentials(organization, params=params))
        row = factories.device(organization, name=name, management_ip=host.ssh.host, config={})
        factories.connection(row, credentials[0], port=host.ssh.port)
        return row

    return device


@pytest.fixture
def hub(lab: Lab, devices: Any, admin: User) -> Host:
    """Return the relay, a managed device like any other."""
    host = lab.host()
    overlay_sync.set_relay(
        devices(host, "hub"), by=admin, endpoint=f"{host.public}:51820", port=51820
    )
    return host


def deliver() -> None:
    """Run what the workers do within seconds of a change."""
    overlay_sync.sync_outdated()
    push_worker.deliver()
    troubles = Push.objects.filter(state="failed").values_list("config__device__name", "reason")
    assert not troubles, list(troubles)


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def call(api: Any, user: User, method: str, path: str, data: Any = None) -> Any:
    answer = getattr(api(user), method)(path, data, format="json")
    assert answer.status_code < 300, answer.content
    return answer.json()


def reaches(host: Host, target: str) -> bool:
    """Return whether the target answers, within WireGuard's handshake retry time."""
    until(lambda: host.sees(target, wait=1))
    return True


@pytest.fixture
def network(owner: User, api: Any) -> Network:
    made = call(api, owner, "post", "/api/networks/", {"name": "robots"})
    return Network.objects.get(pk=made["network"]["url"].rpartition("/")[2])


def joined(network: Network, device: Device) -> Member:
    return add_device(network, by=network.owner, device=device)


def test_members_of_a_network_reach_each_other_by_name_and_nobody_else(
    lab: Lab, hub: Host, devices: Any, owner: User, network: Network, api: Any
) -> None:
    a, b, c, d = (lab.host() for _ in range(4))
    robot, camera = joined(network, devices(a, "robot")), joined(network, devices(b, "camera"))
    other = factories.network(owner)
    joined(other, devices(c, "stranger"))
    both = joined(other, devices(d, "both")).node
    path = f"/api/network/{network.pk}"
    call(api, owner, "patch", path, {"op": "add-member", "device_id": str(both.address)})
    call(api, owner, "put", path, {"ros-master": camera.pk})
    deliver()
    assert reaches(a, "camera")
    assert reaches(b, f"robot.robots-{network.pk}.mesh")
    assert reaches(a, "master")
    # A member of two networks reaches the members of both by one address.
    assert reaches(d, "robot")
    assert reaches(d, "stranger")
    assert reaches(c, "both")
    # Members of different networks reach each other neither through it nor through the relay.
    assert not c.sees("robot", wait=1)
    assert not c.sees(str(robot.node.address), wait=1)
    assert not a.sees(str(Node.objects.get(name="stranger").address), wait=1)
    shown = call(api, owner, "get", f"{path}?refresh_devices=1")
    assert {one["name"]: one["online"] for one in shown["members"]} == {
        "robot": True, "camera": True, "both": True,
    }  # fmt: skip

    # Leaving disconnects at once.
    call(api, owner, "patch", path, {"op": "delete-member", "id": robot.pk})
    deliver()
    assert not d.sees(str(robot.node.address), wait=1)
    assert not a.sees(str(both.address), wait=1)
    assert "camera" not in (a.ssh.root / "etc/hosts").read_text()
    assert reaches(b, "both")


@pytest.mark.once
def test_a_join_during_traffic_loses_no_packet_and_a_burst_is_one_push(
    lab: Lab, hub: Host, devices: Any, network: Network
) -> None:
    a, b, *others = (lab.host() for _ in range(4))
    joined(network, devices(a, "alpha"))
    joined(network, devices(b, "beta"))
    late = [devices(host, f"late-{number}") for number, host in enumerate(others)]
    deliver()
    until(lambda: a.sees("beta"))
    before = Push.objects.filter(config__device__name="alpha").count()
    traffic = a.pinging("beta", 150)
    for device in late:
        joined(network, device)
    deliver()
    said, _ = traffic.communicate(timeout=SECONDS)
    assert " 0% packet loss" in said, said
    assert Push.objects.filter(config__device__name="alpha").count() == before + 1
    assert reaches(a, "late-0")
    assert reaches(a, "late-1")


def test_members_behind_nat_reach_each_other_and_a_relay_that_restarts_finds_them_again(
    lab: Lab, hub: Host, devices: Any, network: Network
) -> None:
    a, b = lab.host(nat=True), lab.host(nat=True)
    joined(network, devices(a, "alpha"))
    joined(network, devices(b, "beta"))
    deliver()
    until(lambda: a.sees("beta", wait=1))
    hub.script("status")
    hub.crash()
    assert not a.sees("beta", wait=1)
    hub.script("apply")
    began = time.monotonic()
    until(lambda: a.sees("beta", wait=1))
    # Without stored endpoints, WireGuard needs 15 seconds or more.
    assert time.monotonic() - began < 14


def test_a_policy_is_kept_by_the_relay(
    lab: Lab, hub: Host, devices: Any, owner: User, network: Network
) -> None:
    a, b = lab.host(), lab.host()
    joined(network, devices(a, "alpha"))
    joined(network, devices(b, "beta"))
    set_policy(
        network,
        by=owner,
        policy={
            "default": "deny",
            "rules": [
                {"action": "allow", "from": ["alpha"], "to": ["beta"], "protocol": "icmp"}
            ],
        },
        tests=[
            {"from": "alpha", "to": "beta", "expect": "allow"},
            {"from": "beta", "to": "alpha", "expect": "deny"},
        ],
    )
    deliver()
    until(lambda: a.sees("beta"))
    assert not b.sees("alpha", wait=1)


def test_a_phone_with_nothing_but_its_configuration_is_a_member(
    lab: Lab, hub: Host, devices: Any, owner: User, network: Network
) -> None:
    a, phone = lab.host(), lab.host()
    joined(network, devices(a, "alpha"))
    member, text = static_member(network, by=owner, name="phone")
    deliver()
    # As the WireGuard app does with the configuration.
    lines = [line for line in text.splitlines() if not line.startswith(("Address", "MTU"))]
    file = phone.ssh.folder / "phone.conf"
    file.write_text("\n".join(lines))
    run(*phone.inside("wireguard-go", phone.interface))
    run(*phone.inside("wg", "setconf", phone.interface, str(file)))
    run(
        "ip",
        "-n",
        phone.space,
        "address",
        "add",
        f"{member.node.address}/128",
        "dev",
        phone.interface,
    )
    run("ip", "-n", phone.space, "link", "set", phone.interface, "up")
    run("ip", "-n", phone.space, "route", "add", "fc94::/16", "dev", phone.interface)
    until(lambda: phone.sees(str(Node.objects.get(name="alpha").address), wait=1))
    assert reaches(a, "phone")


def test_a_refresh_takes_no_longer_for_many_that_are_silent(
    lab: Lab, hub: Host, devices: Any, owner: User, network: Network
) -> None:
    a = lab.host()
    alpha = joined(network, devices(a, "alpha")).node
    for number in range(60):
        factories.member(network, name=f"silent-{number}", last_seen=None)
    deliver()
    assert reaches(hub, str(alpha.address))
    began = time.monotonic()
    refresh(network)
    # Run concurrently: sequentially this takes minutes.
    assert time.monotonic() - began < 30
    online = dict(Node.objects.filter(is_relay=False).values_list("name", "online"))
    assert online.pop("alpha") is True
    assert set(online.values()) == {False}
