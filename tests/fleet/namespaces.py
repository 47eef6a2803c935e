"""Network namespaces as separate machines.

The machine's own interfaces are never changed: when one of them comes or goes, Chromium
aborts all open requests with ERR_NETWORK_CHANGED, and other tests run in parallel.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

SECONDS = 30


def tried(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)


def run(*command: str) -> str:
    done = tried(*command)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def why_not(*programs: str) -> str:
    """Return why tunnels in namespaces are unavailable; empty if available."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [one for one in ("ip", *programs) if shutil.which(one) is None]
    if missing or not Path("/dev/net/tun").exists():
        return f"there is no {missing[0] if missing else '/dev/net/tun'}"
    probe = tried("ip", "netns", "add", f"mprobe{os.getpid()}")
    tried("ip", "netns", "del", f"mprobe{os.getpid()}")
    return probe.stderr


def make_space(space: str) -> None:
    run("ip", "netns", "add", space)
    run("ip", "-n", space, "link", "set", "lo", "up")


def cable(space: str, end: str, other: str, other_end: str) -> None:
    """Create a veth pair between two namespaces."""
    run(
        "ip", "-n", space, "link", "add", end, "type", "veth",
        "peer", "name", other_end, "netns", other,
    )  # fmt: skip


def give_address(space: str, end: str, network: str) -> None:
    """Assign an address with prefix length to an interface and bring it up."""
    run("ip", "-n", space, "address", "add", network, "dev", end)
    run("ip", "-n", space, "link", "set", end, "up")


@contextmanager
def entered(space: str) -> Iterator[None]:
    """Enter the namespace with this thread; sockets and processes are created in it."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(file: IO[bytes]) -> None:
        assert libc.setns(file.fileno(), 0) == 0, os.strerror(ctypes.get_errno())

    with Path("/proc/thread-self/ns/net").open("rb") as home:
        with Path(f"/var/run/netns/{space}").open("rb") as there:
            enter(there)
        try:
            yield
        finally:
            enter(home)
