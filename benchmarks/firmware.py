"""Benchmark of image transfers: memory and time of the portal for many devices at once.

    python -m benchmarks.firmware [--devices 100] [--mib 30] [--original 10]

Three ways, each in a process of its own whose peak memory is told above its start:

* download: devices fetch the image from the portal's ASGI application, slowly, with curl;
* ssh: the portal sends it over SSH in parts, each once the device has taken those before;
* original: what OpenWISP's upgrader does, for fewer devices, as its memory grows with each: the
  whole file is read into memory twice, hashed, and sent by SCP from there.

The devices are sessions of one SSH server, and throw away what they get.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import django

from controller.connections.drivers.contract import Address, Login
from controller.connections.drivers.ssh import Timeouts, handshake_limit, open_shell
from tests.fleet.ports import free_port
from tests.fleet.ssh import SshDevice

MIB = 1024 * 1024
SECONDS = 1800.0
SLOW_BYTES = 4 * MIB
SINK = "cat >/dev/null"
# What the sink of SCP does: acknowledge, read the line with the size, and the bytes.
SCP_SINK = "printf '\\0'; read -r line; printf '\\0'; cat >/dev/null"
IMAGE = "MUSTER_BENCHMARK_IMAGE"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--mib", type=int, default=30)
    parser.add_argument("--original", type=int, default=10, help="devices of the original")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        image = Path(name) / "image.bin"
        image.write_bytes(os.urandom(options.mib * MIB))
        say(f"{options.mib} MiB to each device")
        say("download", options.devices, *download(image, options.devices))
        with SshDevice(Path(name) / "device", options=["MaxStartups 500"]) as device:
            say(
                "ssh", options.devices, *measured(send_in_parts, device, image, options.devices)
            )
            say("original", options.original,
                *measured(send_whole, device, image, options.original))  # fmt: skip


@cache
def ready() -> None:
    """Set Django up; no database is used."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controller.settings")
    os.environ.setdefault("SECRET_KEY", "of the benchmark " * 4)
    os.environ.setdefault("MUSTER_ENCRYPTION_KEYS", "of the benchmark")
    os.environ.setdefault("MUSTER_DATA_DIR", tempfile.gettempdir())
    os.environ.setdefault("MUSTER_DEVICE_NETWORKS", "127.0.0.0/8")
    django.setup()


def say(way: str, devices: int | None = None, grown: float = 0, seconds: float = 0) -> None:
    text = way
    if devices is not None:
        text = f"{way:9} {devices:4} devices: +{grown:7.1f} MiB of memory, {seconds:6.1f} s"
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


# --- over SSH

Send = Callable[[Any, Path], Awaitable[None]]


def measured(send: Send, device: SshDevice, image: Path, count: int) -> tuple[float, float]:
    """Send the image to so many devices at once; return MiB of memory grown, and seconds."""
    answers: multiprocessing.Queue[tuple[float, float]] = multiprocessing.Queue()
    child = multiprocessing.Process(target=work, args=(send, device, image, count, answers))
    child.start()
    child.join()
    if child.exitcode:
        raise SystemExit("A transfer failed.")
    return answers.get()


def work(send: Send, device: SshDevice, image: Path, count: int, answers: Any) -> None:
    ready()
    before, began = peak(), time.monotonic()
    asyncio.run(send_all(send, device, image, count))
    answers.put((peak() - before, time.monotonic() - began))


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def send_all(send: Send, device: SshDevice, image: Path, count: int) -> None:
    address = Address(device.host, device.port)
    login = Login(device.username, private_key=device.private_key)
    gate = handshake_limit()

    async def one() -> None:
        patient = Timeouts(socket=SECONDS, handshake=SECONDS)
        async with open_shell(address, login, gate=gate, timeouts=patient) as shell:
            await send(shell, image)

    await asyncio.gather(*(one() for _ in range(count)))


async def send_in_parts(shell: Any, image: Path) -> None:
    ready()
    from controller.firmware.drivers.transfer import paced_parts

    await shell.run(SINK, feed=paced_parts(image), timeout=SECONDS)


async def send_whole(shell: Any, image: Path) -> None:
    """Do as the original: read all, hash it, read all again, and send that by SCP."""
    hashlib.sha256(image.read_bytes()).hexdigest()
    whole = image.read_bytes()
    head = f"C0644 {len(whole)} {image.name}\n".encode()
    await shell.run(SCP_SINK, stdin=head + whole + b"\0", timeout=SECONDS)


# --- downloads


def download(image: Path, count: int) -> tuple[float, float]:
    """Have so many slow clients download the image; return MiB grown, and seconds."""
    port = free_port()
    command = [
        sys.executable, "-m", "granian", "--interface", "asginl", "--host", "127.0.0.1",
        "--port", str(port), "--workers", "1", "benchmarks.firmware:application",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}/"
    server = subprocess.Popen(
        command, env={**os.environ, IMAGE: str(image)}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        subprocess.run(
            ["curl", "-s", "-o", "/dev/null", "--retry", "50", "--retry-connrefused",
             "--retry-delay", "1", "-r", "0-0", url], check=True,
        )  # fmt: skip
        before, began = memory_of(server.pid), time.monotonic()
        client = ["curl", "-sSf", "-o", "/dev/null", "--limit-rate", str(SLOW_BYTES), url]
        clients = [subprocess.Popen(client) for _ in range(count)]
        if any(one.wait() for one in clients):
            raise SystemExit("A download failed.")
        return memory_of(server.pid) - before, time.monotonic() - began
    finally:
        server.terminate()
        server.wait()


def memory_of(pid: int) -> float:
    """Return the peak memory of a process and its children in MiB."""
    pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    total = 0
    for one in pids:
        lines = Path(f"/proc/{one}/status").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return total / 1024


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Serve the image to everybody by the portal's own stream."""
    ready()
    from controller.dialects.image_fast_path import range_of, stream
    from controller.firmware.rules.downloads import OpenedDownload

    path = Path(os.environ[IMAGE])
    size = path.stat().st_size
    found = OpenedDownload(path, size, "0" * 64, "benchmark", 0)
    await stream(found, *range_of(scope, size), scope, receive, send)


if __name__ == "__main__":
    main()
