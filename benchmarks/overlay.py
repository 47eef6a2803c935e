"""A network of many members: what one more costs to plan, to compare and to render.

    python -m benchmarks.overlay [members]

Planning is pure; rendering is what a member's device is then given.
"""

from __future__ import annotations

import resource
import sys
import time
import tracemalloc

from controller.configs.engine.render import render
from networks.engine import firewall, mesh, overlay
from networks.engine.firewall import Segment
from networks.engine.keys import overlay_address, wireguard_pair
from networks.engine.mesh import Network, Node, World
from networks.engine.policies import Member

PREFIX = "fc94::/16"


def nodes(count: int) -> dict[int, Node]:
    made = {}
    for number in range(count):
        _, public = wireguard_pair()
        made[number] = Node(
            number, f"device-{number:05}", overlay_address(public, PREFIX), public, 20000,
            endpoint="192.0.2.1:51820" if number == 0 else "",
        )  # fmt: skip
    return made


def world(known: dict[int, Node], count: int) -> World:
    network = Network(1, "robots-1", tuple(range(1, count + 1)))
    return World(known, (network,), known[0], PREFIX, "mesh")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    known = nodes(count + 2)
    tracemalloc.start()
    began = time.perf_counter()
    before = mesh.plans(world(known, count))
    planned = time.perf_counter()
    after = mesh.plans(world(known, count + 1))
    changes = mesh.changed(before, after)
    compared = time.perf_counter()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"members              {count}")
    print(f"plans of all         {1000 * (planned - began):.0f} ms")
    print(f"plans and comparison {1000 * (compared - planned):.0f} ms, {len(changes)} changed")
    print(f"memory at most       {peak / 1e6:.1f} MB, {peak / count / 1000:.1f} kB a member")

    began = time.process_time()
    for number in range(1, 51):
        files = overlay.netjson_files(overlay.parts(after[number]), script="", holds_key=False)
        render("netjsonconfig.OpenWrt", [], files, {})
    print(f"archive of a member  {1000 * (time.process_time() - began) / 50:.1f} ms of CPU")

    began = time.process_time()
    members = tuple(Member(one.name, one.address) for one in known.values())
    table = firewall.relay_table([Segment(1, members)], overlay.INTERFACE)
    text = overlay.wg_config(after[0])
    print(f"what the relay gets  {1000 * (time.process_time() - began):.1f} ms of CPU, "
          f"{len(table) / 1000:.0f} kB of firewall, {len(text) / 1000:.0f} kB of peers")  # fmt: skip
    print(
        f"resident at most     {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"
    )


if __name__ == "__main__":
    main()
