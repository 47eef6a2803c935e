"""Benchmark of a large overlay network: plan, compare and render one more member.

    python -m benchmarks.overlay [members]

Planning is pure; rendering produces a member's configuration. Then the same with rows on
PostGIS: one more device joins, and the changes are rendered and queued for delivery.
"""

from __future__ import annotations

import resource
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

from django.db.models import F

from benchmarks.fleet import mac
from benchmarks.stage import stage
from controller.configs.engine.render import render
from networks.overlay.engine import configs, firewall, plan_changes, topology
from networks.overlay.engine.firewall import Segment
from networks.overlay.engine.keys import overlay_address, wireguard_pair
from networks.overlay.engine.policies import Member
from networks.overlay.engine.topology import Network, Node, Topology

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


def world(known: dict[int, Node], count: int) -> Topology:
    network = Network(1, "robots-1", tuple(range(1, count + 1)))
    return Topology(known, (network,), (known[0],), PREFIX, "mesh")


def resident() -> float:
    """Return the current (not peak) memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def node(device: Any, owner: Any) -> Any:
    from networks.overlay.rules.plans import new_node

    private, public = wireguard_pair()
    return new_node(
        public, owner=owner, name=device.name, device=device, private_key=private,
        key_mode="portal",
    )  # fmt: skip


def populate(count: int) -> tuple[Any, Any, Any]:
    """Create a network of `count` devices, one of a tenth, and a single device."""
    from controller.accounts.models import Organization, User
    from controller.base.secrets import digest
    from controller.configs.models import Config
    from controller.configs.rules import overlay_sync as relaying
    from controller.configs.rules.rendering import refresh
    from controller.connections.models import DeviceConnection
    from controller.connections.rules import create_credentials
    from controller.devices.models import Device, Presence
    from networks.overlay.models import Member, Node
    from networks.overlay.rules import create_network

    organization = Organization.objects.create(name="bench", slug="bench")
    owner = User.objects.create_superuser("admin", "admin@example.org", "a password")
    login = create_credentials(
        organization=organization, name="login", params={"username": "root", "password": "x"}
    )
    tenth = count // 10
    devices = Device.objects.bulk_create(
        Device(organization=organization, name=f"device-{n:05}", mac_address=mac(n),
               management_ip=f"192.0.2.{n % 250 + 1}", key=f"{n:032x}", key_digest=digest(f"{n:032x}"))
        for n in range(count + tenth + 2)
    )  # fmt: skip
    Presence.objects.bulk_create(Presence(device=one) for one in devices)
    Config.objects.bulk_create(Config(device=one) for one in devices)
    DeviceConnection.objects.bulk_create(
        DeviceConnection(device=one, credentials=login, update_strategy="linux-files")
        for one in devices
    )
    relay, latecomer = devices[:2]
    relaying.set_relay(relay, by=owner, endpoint="192.0.2.1:51820")
    robots, cameras = (
        create_network(owner, name="robots"),
        create_network(owner, name="cameras"),
    )
    for network, members in ((robots, devices[2 : count + 2]), (cameras, devices[count + 2 :])):
        made = Node.objects.bulk_create(node(one, owner) for one in members)
        Member.objects.bulk_create(Member(network=network, node=one) for one in made)
    refresh(list(Config.objects.values_list("pk", flat=True)))
    Config.objects.update(applied=F("desired"), status="applied")
    return robots, Node.objects.bulk_create([node(latecomer, owner)])[0], owner


def with_rows(count: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from controller.configs.models import Config, Push
    from controller.configs.rules import overlay_sync as relaying
    from networks.overlay.rules.members import add

    call_command("migrate", verbosity=0)
    robots, latecomer, owner = populate(count)
    relaying.sync_outdated()
    Push.objects.all().delete()
    Config.objects.update(applied=F("desired"), status="applied")
    held, began, spent = resident(), time.perf_counter(), time.process_time()
    add(robots, latecomer, by=owner)
    joined = time.perf_counter()
    relaying.sync_outdated()
    done, cpu = time.perf_counter(), time.process_time() - spent
    print(f"one joins            {1000 * (joined - began):.0f} ms")
    print(
        f"all is rendered      {done - joined:.1f} s, {1000 * cpu / count:.1f} ms of CPU a member"
    )
    print(f"rendered and queued  {Config.objects.filter(status='modified').count()} and "
          f"{Push.objects.count()} of {Config.objects.count()} devices")  # fmt: skip
    print(f"memory grows by      {resident() - held:.0f} MB")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    in_memory(count)
    with stage():
        with_rows(count)


def in_memory(count: int) -> None:
    known = nodes(count + 2)
    tracemalloc.start()
    began = time.perf_counter()
    before = topology.plans(world(known, count))
    planned = time.perf_counter()
    after = topology.plans(world(known, count + 1))
    changes = plan_changes.changed(before, after)
    compared = time.perf_counter()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"members              {count}")
    print(f"plans of all         {1000 * (planned - began):.0f} ms")
    print(f"plans and comparison {1000 * (compared - planned):.0f} ms, {len(changes)} changed")
    print(f"memory at most       {peak / 1e6:.1f} MB, {peak / count / 1000:.1f} kB a member")

    began = time.process_time()
    for number in range(1, 51):
        files = configs.netjson_files(configs.parts(after[number]), script="", holds_key=False)
        render("netjsonconfig.OpenWrt", [], files, {})
    print(f"archive of a member  {1000 * (time.process_time() - began) / 50:.1f} ms of CPU")

    began = time.process_time()
    members = tuple(Member(one.name, one.address) for one in known.values())
    table = firewall.relay_table([Segment(1, members)], configs.INTERFACE)
    text = configs.wg_config(after[0])
    print(f"what the relay gets  {1000 * (time.process_time() - began):.1f} ms of CPU, "
          f"{len(table) / 1000:.0f} kB of firewall, {len(text) / 1000:.0f} kB of peers")  # fmt: skip
    print(
        f"resident at most     {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"
    )


if __name__ == "__main__":
    main()
