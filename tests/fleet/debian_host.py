"""Stand-in Debian host: real sshd, with apt, dpkg and reboot of its own.

A trouble changes what happens: ``offline`` has no mirror; ``no space`` cannot download; ``removes``
would remove a package; ``killed`` kills the installation; ``lies`` says that it installed; the name
of a package breaks at that package; ``never`` does not come back from a restart.
"""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.fleet.ssh import SshDevice

SCRIPTS = Path(__file__).with_name("apt")
WATCH_SECONDS = 0.02
SECURITY = "Debian-Security:12/oldstable-security"
BOTH = f"Debian:12.15/oldstable, {SECURITY}"
PLAIN = "Debian:12.15/oldstable"


class DebianHost(SshDevice):
    def __init__(self, folder: Path, **more: Any) -> None:
        tools = folder / "bin"
        shutil.copytree(SCRIPTS, tools, dirs_exist_ok=True)
        path = f"{tools.resolve()}:{os.environ['PATH']}"
        super().__init__(folder, environment={"PATH": path}, **more)
        self.put(
            "etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\nVERSION_ID="12"'
        )
        self.boot()
        self.put(
            "apt/installed",
            "bash 5.2.15-2+b8\nlibssl3 3.0.19-1~deb12u2\nlibcap2 1:2.66-4+deb12u2+b2\n"
            "zlib1g 1:1.2.13.dfsg-1",
        )
        self.put(
            "apt/available",
            f"bash 5.2.15-2+b13 {PLAIN}\nlibssl3 3.0.22-1~deb12u2 {SECURITY}\n"
            f"libcap2 1:2.66-4+deb12u3+b1 {BOTH}\nzlib1g 1:1.2.13.dfsg-1 {PLAIN}",
        )
        self.put("apt/auto", "libssl3\nlibcap2")
        self.ended = threading.Event()
        self.watcher = threading.Thread(target=self.watch, daemon=True)

    def put(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")

    def remove(self, name: str) -> None:
        (self.root / name).unlink()

    def boot(self) -> None:
        self.put("proc/sys/kernel/random/boot_id", str(uuid4()))

    def add_kernel(self) -> None:
        """Offer a kernel, after whose installation a restart is needed."""
        with (self.root / "apt/available").open("a") as file:
            file.write(f"linux-image-6.1.0-40-amd64 6.1.153-1 {SECURITY}\n")

    @property
    def trouble(self) -> str:
        path = self.root / "apt/trouble"
        return path.read_text().strip() if path.exists() else ""

    @trouble.setter
    def trouble(self, name: str) -> None:
        self.put("apt/trouble", name)

    @property
    def packages(self) -> dict[str, str]:
        lines = (self.root / "apt/installed").read_text().splitlines()
        return dict(line.split(" ", 1) for line in lines if line)

    @property
    def auto(self) -> set[str]:
        return set((self.root / "apt/auto").read_text().split())

    @property
    def installs(self) -> list[str]:
        """What apt-get was told to install, one line for each call."""
        return self.lines("installs.log")

    @property
    def commands(self) -> list[str]:
        return self.lines("commands.log")

    @property
    def restarts(self) -> int:
        return len(self.lines("restarts.log"))

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def start(self) -> None:
        super().start()
        if not self.watcher.is_alive():
            self.watcher.start()

    def __exit__(self, *args: object) -> None:
        self.ended.set()
        self.watcher.join()
        super().__exit__(*args)

    def watch(self) -> None:
        request = self.folder / "restart.request"
        while not self.ended.wait(WATCH_SECONDS):
            if request.exists():
                request.unlink()
                self.restart()

    def restart(self) -> None:
        self.stop()
        self.boot()
        (self.root / "run/reboot-required").unlink(missing_ok=True)
        if self.trouble != "never":
            super().start()
