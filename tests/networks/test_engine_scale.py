"""A network of a thousand members, and the effect of one more."""

import time
import tracemalloc

from networks.overlay.engine import configs, plan_changes, topology
from networks.overlay.engine.topology import Network, Node, Topology

MEMBERS = 1000


def world(count: int) -> Topology:
    nodes = {
        number: Node(
            number, f"device-{number}", f"fc94::{number + 1:x}", f"key-{number}", 20000,
            endpoint="192.0.2.1:51820" if number == 0 else "",
        )
        for number in range(count + 1)
    }  # fmt: skip
    networks = Network(1, "one", tuple(range(1, count + 1))), Network(2, "two", (1, 2))
    return Topology(nodes, networks, (nodes[0],), "fc94::/16", "mesh")


def test_planning_and_comparing_takes_less_than_a_second() -> None:
    before = topology.plans(world(MEMBERS))
    began = time.process_time()
    changes = plan_changes.changed(before, topology.plans(world(MEMBERS + 1)))
    assert time.process_time() - began < 1
    # Each member gets one name, and the relay one peer.
    assert len(changes) == MEMBERS + 2
    assert [len(one.names_added) for one in changes.values()].count(1) == MEMBERS
    assert [len(one.peers_added) for one in changes.values()].count(1) == 2
    assert not any(one.names_removed or one.peers_removed for one in changes.values())


def test_memory_grows_with_members_and_not_with_their_pairs() -> None:
    def peak(count: int) -> int:
        made = world(count)
        tracemalloc.start()
        plans = topology.plans(made)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(plans) == count + 1
        return most

    assert peak(4 * 250) < 6 * peak(250)


def test_names_are_written_once_for_all_members() -> None:
    plans = topology.plans(world(MEMBERS))
    assert plans[5].hosts[0] is plans[6].hosts[0]
    assert len(configs.hosts(plans[5]).splitlines()) == MEMBERS + 1
