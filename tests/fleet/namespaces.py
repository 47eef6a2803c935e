"""Network namespaces: machines of their own, as far as networks are concerned.

Nothing here changes the machine's own interfaces. When one of those comes or goes, Chromium
ends every request it has open with ERR_NETWORK_CHANGED, and other tests run beside.
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
    """Why this machine cannot have namespaces with tunnels in them; empty if it can."""
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
    """Two Ethernet interfaces that lead to each other, each in its namespace."""
    run(
        "ip", "-n", space, "link", "add", end, "type", "veth",
        "peer", "name", other_end, "netns", other,
    )  # fmt: skip


def give_address(space: str, end: str, network: str) -> None:
    """Gives an interface an address with its prefix's length, and switches it on."""
    run("ip", "-n", space, "address", "add", network, "dev", end)
    run("ip", "-n", space, "link", "set", end, "up")


@contextmanager
def entered(space: str) -> Iterator[None]:
    """What this thread opens meanwhile, and those it starts, is in the namespace."""
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
