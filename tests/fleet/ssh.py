"""Stand-in devices: OpenSSH servers on loopback, each with its own root folder.

``python -m tests.fleet.ssh --folder var/fleet --count 5`` runs them until SIGTERM and
prints one line of JSON for each. Keys and ports are kept in the folder for the next run.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Self

import asyncssh

from tests.fleet.ports import free_port

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
START_SECONDS = 10.0
START_TRIES = 3


class SshDevice:
    """One device. Port, keys and files survive stop() and start().

    ``accounts`` (root only) are users with passwords, known only to this server;
    ``environment`` is that of commands, ``options`` are additional lines of sshd_config.
    """

    def __init__(
        self,
        folder: Path,
        *,
        client_key: Path | None = None,
        accounts: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
        options: Sequence[str] = (),
        host: str = "127.0.0.1",
    ) -> None:
        self.folder = Path(folder).resolve()
        self.root = self.folder / "root"
        self.root.mkdir(parents=True, exist_ok=True)
        self.host = host
        self.username = getpass.getuser()
        self.client_key_path = client_key or make_key(self.folder / "client_key")
        self.host_key_path = make_key(self.folder / "host_key")
        self._pid_file = self.folder / "sshd.pid"
        self._port_file = self.folder / "port"
        self.port = self._kept_port()
        self.accounts = accounts
        # Own home folder, as bash reads ~/.bashrc even for a single command of sshd.
        self.environment = {
            "MUSTER_ROOT": str(self.root),
            "HOME": str(self.folder),
            # The network is the machine's own, so disable the overlay's interface.
            "MUSTER_OVERLAY_INTERFACE": "none",
            **(environment or {}),
        }
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._foreign_pid: int | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        _end_processes(self.root)

    @property
    def private_key(self) -> str:
        return self.client_key_path.read_text()

    @property
    def host_key(self) -> str:
        """Return the host key line to pin: type and base64."""
        return " ".join(_public(self.host_key_path).split()[:2])

    @property
    def running(self) -> bool:
        if self._process is None:
            return self._foreign_pid is not None
        return self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else self._foreign_pid

    def take_over(self) -> None:
        """Attach to a server started by another process in this folder."""
        self._foreign_pid = int(self._pid_file.read_text())

    @property
    def log(self) -> str:
        """Return the SSH server's log, such as ``Accepted publickey``."""
        path = self.folder / "sshd.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        for _ in range(START_TRIES):
            self._spawn()
            if self._listens():
                self._new = False
                return
            self.stop()
            # Another process took the chosen port.
            if self._new and "already in use" in self.log:
                self._port_file.unlink()
                self.port = self._kept_port()
        raise RuntimeError(f"sshd did not start on port {self.port}: {self.log[-500:]}")

    def _spawn(self) -> None:
        self._configure()
        self._pid_file.unlink(missing_ok=True)
        command = [
            SSHD,
            "-D",
            "-f",
            self.folder / "sshd_config",
            "-E",
            self.folder / "sshd.log",
        ]
        if self.accounts is not None:
            # Own mount namespace: the machine's accounts stay unchanged.
            mounts = (
                f"mount --bind '{self.folder}/passwd' /etc/passwd && "
                f"mount --bind '{self.folder}/shadow' /etc/shadow && exec \"$@\""
            )
            command = ["unshare", "-m", "sh", "-c", mounts, "sh", *command]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=True
        )

    def _listens(self) -> bool:
        """Wait until sshd has written its pid file, which it does once it listens."""
        deadline = time.monotonic() + START_SECONDS
        while self.running and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if self._pid_file.read_text().strip() == str(self.pid):
                    return True
            time.sleep(0.01)
        return False

    def stop(self) -> None:
        """Stop the server and its sessions, but not processes left running on the device."""
        if self.pid is None:
            return
        for pid in [*_freeze(self.pid), self.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        self._process = self._foreign_pid = None

    def describe(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "port": self.port,
            "username": self.username,
            "private_key": str(self.client_key_path),
            "host_key": self.host_key,
            "root": str(self.root),
        }

    def _kept_port(self) -> int:
        self._new = not self._port_file.exists()
        if self._new:
            self._port_file.write_text(str(free_port()))
        return int(self._port_file.read_text())

    def _configure(self) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        (self.folder / "authorized_keys").write_text(_public(self.client_key_path))
        lines = [
            f"ListenAddress {self.host}",
            f"Port {self.port}",
            f"HostKey {self.host_key_path}",
            f"AuthorizedKeysFile {self.folder}/authorized_keys",
            f"PidFile {self._pid_file}",
            "SetEnv " + " ".join(f"{key}={value}" for key, value in self.environment.items()),
            f"PasswordAuthentication {'yes' if self.accounts else 'no'}",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin yes",
            "StrictModes no",
            "UsePAM no",
            "UseDNS no",
            "PrintMotd no",
            "PrintLastLog no",
            "MaxStartups 100",
            *self.options,
        ]
        if _penalizes(self.host_key_path):
            lines.append("PerSourcePenalties no")
        (self.folder / "sshd_config").write_text("\n".join(lines) + "\n")
        for username, password in (self.accounts or {}).items():
            self._add_account(username, password)

    def _add_account(self, username: str, password: str) -> None:
        digest = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"],
            input=password,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        users = Path("/etc/passwd").read_text()
        users += f"{username}:x:{os.getuid()}:{os.getgid()}::/:/bin/sh\n"
        (self.folder / "passwd").write_text(users)
        secrets = Path("/etc/shadow").read_text() + f"{username}:{digest}:19000:0:99999:7:::\n"
        (self.folder / "shadow").write_text(secrets)


class Fleet:
    """Devices ``0`` to ``count - 1`` in one folder, with one client key for all."""

    def __init__(self, count: int, folder: Path) -> None:
        folder = Path(folder).resolve()
        key = make_key(folder / "client_key")
        self.devices = [
            SshDevice(folder / f"device-{number}", client_key=key) for number in range(count)
        ]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        try:
            for device in self.devices:
                device.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        for device in self.devices:
            device.stop()


def make_key(path: Path) -> Path:
    """Create an ed25519 key pair at ``path`` unless it exists."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        key = asyncssh.generate_private_key("ssh-ed25519")
        path.touch(mode=0o600)
        key.write_private_key(path)
        key.write_public_key(path.with_suffix(".pub"))
    return path


@cache
def _penalizes(host_key: Path) -> bool:
    """Return whether this sshd (9.8 and later) blocks clients after failed logins."""
    command = [SSHD, "-t", "-f", "/dev/null", "-h", host_key, "-o", "PerSourcePenalties=no"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _public(path: Path) -> str:
    return path.with_suffix(".pub").read_text()


def _freeze(server: int) -> list[int]:
    """Freeze a server, so that it cannot fork, and return its SSH sessions, children first."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(server, signal.SIGSTOP)
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, rest = stat.read_text().split("(", 1)[1].rsplit(")", 1)
            if name.startswith(("sshd", "dropbear")) and int(rest.split()[1]) == server:
                pid = int(stat.parent.name)
                found += [*_freeze(pid), pid]
    return found


def _end_processes(root: Path) -> None:
    """Kill what sessions left running on the device with this root folder."""
    mark = f"MUSTER_ROOT={root}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in environment.read_bytes().split(b"\0"):
                os.kill(int(environment.parent.name), signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--count", type=int, default=5)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _leave)
    with contextlib.suppress(KeyboardInterrupt), Fleet(options.count, options.folder) as fleet:
        described = [device.describe() for device in fleet.devices]
        for device in described:
            sys.stdout.write(json.dumps(device) + "\n")
        sys.stdout.flush()
        # Renamed when complete: another process reads it at once.
        whole = options.folder / "fleet.json.new"
        whole.write_text(json.dumps(described))
        whole.rename(options.folder / "fleet.json")
        signal.pause()


def _leave(*_: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
