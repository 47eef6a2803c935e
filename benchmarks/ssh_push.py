"""Benchmark of commit-confirmed pushes to real SSH servers on loopback.

    python -m benchmarks.ssh_push [--devices 50] [--rounds 3] [--serial]

Each push connects, uploads and applies with one command, and confirms over a second
connection. Portal and devices share the machine, so CPU per device is the reliable figure.
``--serial`` pushes to one device after the other, like a worker with one blocking
connection.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import os
import resource
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

from controller.configs.drivers.contract import Archive
from controller.configs.drivers.runner import PushOrder, PushResult, push_many
from controller.connections.drivers.contract import Address, HostKey, Login
from tests.fleet.archives import archive
from tests.fleet.ssh import Fleet

SET_CHILD_SUBREAPER = 36
TICKS = os.sysconf("SC_CLK_TCK")
FILES = ("network", "wireless", "system", "firewall", "dhcp", "muster")


def config(revision: int) -> Archive:
    """Return about six kilobytes in seven files, all different from the last revision."""
    lines = [f"\toption number_{line} '{revision}.{line}'\n" for line in range(30)]
    files = {f"etc/config/{name}": f"config {name} 'main'\n{''.join(lines)}" for name in FILES}
    hook = (f"#!/bin/sh\n# {revision}\nexit 0\n", 0o755)
    return archive({**files, "etc/muster/reload.d/10-reload": hook})


def orders_for(fleet: Fleet, revision: int) -> list[PushOrder]:
    content = config(revision)
    return [
        PushOrder(
            id=str(number),
            strategy="linux-files",
            address=Address(device.host, device.port),
            login=Login(device.username, private_key=device.private_key),
            archive=content,
            host_key=HostKey.parse(device.host_key),
            window=30,
        )
        for number, device in enumerate(fleet.devices)
    ]


async def push_all(orders: list[PushOrder], *, serial: bool) -> list[PushResult]:
    results: list[PushResult] = []

    async def on_done(result: PushResult) -> None:
        results.append(result)

    for batch in [[order] for order in orders] if serial else [orders]:
        await push_many(batch, on_done=on_done)
    return results


def devices_cpu(fleet: Fleet) -> float:
    """Return CPU seconds of the SSH servers, their sessions and surviving runners."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    ticks = 0
    for device in fleet.devices:
        fields = Path(f"/proc/{device.pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += sum(map(int, fields[11:15]))
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ticks / TICKS + ended.ru_utime + ended.ru_stime


def measure(fleet: Fleet, revision: int, *, serial: bool) -> tuple[float, float, float]:
    """Return pushes per second, and CPU ms per push of the portal and of the devices."""
    orders, count = orders_for(fleet, revision), len(fleet.devices)
    theirs, ours, began = devices_cpu(fleet), time.process_time(), time.perf_counter()
    results = asyncio.run(push_all(orders, serial=serial))
    seconds, ours = time.perf_counter() - began, time.process_time() - ours
    time.sleep(0.5)
    theirs = devices_cpu(fleet) - theirs
    states = Counter(result.outcome.state for result in results)
    took = statistics.quantiles([result.seconds for result in results], n=20)
    print(
        f"{count / seconds:6.1f} pushes/s   portal {1000 * ours / count:5.1f} ms   "
        f"device {1000 * theirs / count:5.1f} ms   "
        f"p50 {took[9]:5.2f} s   p95 {took[18]:5.2f} s   {dict(states)}"
    )
    return count / seconds, ours / count, theirs / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serial", action="store_true", help="one device after the other")
    options = parser.parse_args()
    # Adopt runners that outlive their session (subreaper), to count their CPU.
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with (
        tempfile.TemporaryDirectory(prefix="muster-bench-") as folder,
        Fleet(options.devices, Path(folder)) as fleet,
    ):
        rounds = [
            measure(fleet, revision, serial=options.serial)
            for revision in range(options.rounds)
        ]
    print(f"median {statistics.median(rate for rate, _, _ in rounds):6.1f} pushes/s")


if __name__ == "__main__":
    main()
