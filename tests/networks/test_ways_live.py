"""Direct ways through real NATs: namespaces as routers, WireGuard, the real agent."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from networks.overlay.models import Network, Node, Pair
from networks.overlay.rules import agent_tokens
from networks.overlay.rules.join_codes import create_code, join_code
from networks.overlay.rules.plans import load_topology, relay, script_parts
from tests import factories
from tests.fleet.namespaces import why_not
from tests.fleet.nat import Machine, NatLab, until
from tests.fleet.overlay import NEEDED

pytestmark = [pytest.mark.netns, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[NatLab]:
    if reason := why_not(*NEEDED):
        pytest.skip(reason)
    with NatLab(tmp_path) as made:
        yield made


@pytest.fixture
def url(lab: NatLab, live_server: Any, settings: Any) -> str:
    settings.ALLOWED_HOSTS = ["*"]
    return lab.serve(live_server.thread.host, live_server.thread.port)


@pytest.fixture
def network(db: Any) -> Network:
    return factories.network(factories.user(), "Robots")


def serve_relay(machine: Machine, node: Node, url: str) -> None:
    """Give a relay its files, as a delivery of its configuration does."""
    _, found = script_parts(load_topology(), node)
    found |= {
        "portal": f"{url}\n", "token": f"{agent_tokens.token_of(node)}\n", "managed": "yes\n",
        "private": f"{node.private_key}\n",
    }  # fmt: skip
    for name, text in found.items():
        (machine.folder / name).write_text(text)
    machine.client("apply")


@pytest.fixture
def hub(lab: NatLab, url: str, network: Network) -> Machine:
    machine = lab.relay()
    Node.objects.filter(pk=relay().pk).update(
        endpoint=f"{lab.public(machine)}:51820", port=51820
    )
    serve_relay(machine, relay(), url)
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
    serve_relay(hub, relay(), url)
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
    assert traffic.longest_silence() < 1

    traffic = one.pinging(address("other"))
    hub.kill()
    assert one.sees(address("other"), count=10)
    assert traffic.longest_silence() < 1
