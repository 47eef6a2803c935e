"""Overlay devices in network namespaces, each with an SSH server on loopback.

The portal reaches them like any device, but their interfaces, routes and hosts files are
isolated. They share one Ethernet, some of them behind NAT.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Self

from tests.fleet.namespaces import cable, give_address, make_space, run, tried, why_not
from tests.fleet.ssh import SshDevice, make_key

SCRIPT = "usr/lib/muster/overlay"
NEEDED = ("wg", "nft", "wireguard-go", "ping")


class Host:
    """One device."""

    def __init__(self, lab: "Lab", number: int, *, nat: bool) -> None:
        self.lab, self.number, self.nat = lab, number, nat
        self.space = f"m{lab.tag}h{number}"
        self.interface = f"mo{lab.tag}n{number}"
        self.public = f"198.51.100.{number}"
        folder = lab.folder / f"host-{number}"
        self.ssh = SshDevice(
            folder,
            client_key=lab.key,
            environment={"MUSTER_OVERLAY_INTERFACE": self.interface, "MUSTER_OVERLAY_MTU": "1280"},
            options=[f'ForceCommand ip netns exec {self.space} sh -c "$SSH_ORIGINAL_COMMAND"'],
        )  # fmt: skip

    def start(self) -> None:
        self.lab.make_space(self.space)
        if self.nat:
            router = f"{self.space}r"
            self.lab.make_space(router)
            self.lab.plug(router, self.public)
            self.lab.cable(self.space, f"10.0.{self.number}.2", router, f"10.0.{self.number}.1")
            gateway = f"10.0.{self.number}.1"
            run("ip", "-n", self.space, "route", "add", "default", "via", gateway)
            run(
                "ip",
                "netns",
                "exec",
                router,
                "sh",
                "-c",
                "echo 1 >/proc/sys/net/ipv4/ip_forward",
            )
            out = f'oifname "w{self.lab.tag}{router[-3:]}" masquerade'
            table = (
                "table ip home {\n"
                f"chain out {{ type nat hook postrouting priority 100; {out}; }}\n"
                "chain in { type filter hook input priority 0; ct state new drop; }\n}"
            )
            run("ip", "netns", "exec", router, "nft", table)
        else:
            self.lab.plug(self.space, self.public)
        hosts = self.ssh.root / "etc/hosts"
        hosts.parent.mkdir(parents=True, exist_ok=True)
        if not hosts.exists():
            hosts.write_text("127.0.0.1 localhost\n")
        # `ip netns exec` mounts this over the machine's own file.
        own = Path("/etc/netns") / self.space
        own.mkdir(parents=True, exist_ok=True)
        (own / "hosts").unlink(missing_ok=True)
        (own / "hosts").symlink_to(hosts)
        self.ssh.start()

    def stop(self) -> None:
        self.ssh.stop()
        for pid in tried("ip", "netns", "pids", self.space).stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        shutil.rmtree(Path("/etc/netns") / self.space, ignore_errors=True)
        Path(f"/var/run/wireguard/{self.interface}.sock").unlink(missing_ok=True)

    def inside(self, *command: str) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.space, *command)

    def sees(self, target: str, *, count: int = 1, wait: int = 2) -> bool:
        """Return whether a name or address answers a ping."""
        words = ("ping", "-6", "-c", str(count), "-W", str(wait), target)
        return tried(*self.inside(*words)).returncode == 0

    def pinging(self, target: str, count: int) -> "subprocess.Popen[str]":
        """Send fifty pings a second in the background."""
        return subprocess.Popen(
            self.inside("ping", "-6", "-q", "-i", "0.02", "-c", str(count), "-W", "2", target),
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wg(self, *words: str) -> str:
        return run(*self.inside("wg", "show", self.interface, *words))

    def script(self, *words: str) -> str:
        path = self.ssh.root / SCRIPT
        environment = {**self.ssh.environment, "PATH": os.environ["PATH"]}
        exports = [f"{name}={value}" for name, value in environment.items()]
        return run(*self.inside("env", *exports, "sh", str(path), *words))

    def crash(self) -> None:
        """Delete the interface, as a reboot of the device would."""
        run("ip", "-n", self.space, "link", "del", self.interface)


class Lab:
    """An Ethernet with its devices."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tag = f"{os.getpid() % 10_000}"
        self.key = make_key(folder / "client_key")
        self.switch = f"m{self.tag}sw"
        self.spaces: list[str] = []
        self.hosts: list[Host] = []

    def __enter__(self) -> Self:
        self.make_space(self.switch)
        run("ip", "-n", self.switch, "link", "add", "lan", "type", "bridge")
        run("ip", "-n", self.switch, "link", "set", "lan", "up")
        return self

    def __exit__(self, *_: object) -> None:
        for host in self.hosts:
            host.stop()
        for space in self.spaces:
            tried("ip", "netns", "del", space)

    def host(self, *, nat: bool = False) -> Host:
        made = Host(self, len(self.hosts) + 1, nat=nat)
        self.hosts.append(made)
        made.start()
        return made

    def make_space(self, space: str) -> None:
        make_space(space)
        self.spaces.append(space)

    def plug(self, space: str, at: str) -> None:
        ours, theirs = f"w{self.tag}{space[-3:]}", f"s{self.tag}{space[-3:]}"
        cable(space, ours, self.switch, theirs)
        run("ip", "-n", self.switch, "link", "set", theirs, "master", "lan", "up")
        give_address(space, ours, f"{at}/24")

    def cable(self, one: str, at: str, other: str, its: str) -> None:
        ends = f"a{self.tag}{one[-3:]}", f"b{self.tag}{one[-3:]}"
        cable(one, ends[0], other, ends[1])
        give_address(one, ends[0], f"{at}/24")
        give_address(other, ends[1], f"{its}/24")


def main() -> None:
    """Run a relay and two demo devices, and write their addresses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, _leave)
    if reason := why_not(*NEEDED):
        write(options.folder, {"why_not": reason.strip(), "hosts": []})
        signal.pause()
    with contextlib.suppress(KeyboardInterrupt), Lab(options.folder.resolve()) as lab:
        hosts = [lab.host() for _ in range(3)]
        for host in hosts:
            # After a restart the portal does not deliver again, so apply the stored
            # configuration.
            if (host.ssh.root / SCRIPT).exists():
                host.script("apply")
        told = [host.ssh.describe() | {"public": host.public} for host in hosts]
        write(options.folder, {"why_not": "", "hosts": told})
        signal.pause()


def write(folder: Path, told: dict[str, Any]) -> None:
    # Renamed when complete: another process reads it at once.
    whole = folder / "overlay.json.new"
    whole.write_text(json.dumps(told))
    whole.rename(folder / "overlay.json")


def _leave(*_: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
