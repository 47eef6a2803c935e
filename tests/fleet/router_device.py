"""Stand-in OpenWrt router that flashes: real sshd and busybox, own root folder.

A flash ends all sessions. The device comes back with a new boot, the image's release and
without what sysupgrade does not keep, unless a trouble is set:

``never`` does not come back; ``reboot`` restarts without writing; ``slot`` comes back on an
older system; ``other`` comes back with another release; ``refused`` refuses; ``nothing`` says
that it flashes and does not; ``hangs`` leaves the connection open and flashes later; ``moved``
comes back at another address.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.fleet.ssh import SshDevice, make_key

SCRIPTS = Path(__file__).with_name("sysupgrade")
BUSYBOX = shutil.which("busybox")
APPLETS = (
    "cat", "cp", "cut", "find", "grep", "head", "mkdir", "mv", "od", "rm", "sed",
    "sha256sum", "sleep", "tar", "gzip", "sync", "tail", "tr", "wc", "echo", "dirname",
)  # fmt: skip
RELEASES = {
    "old": {"version": "24.10.1", "revision": "r28000-old"},
    "other": {"version": "23.05.0", "revision": "r23000-other"},
}
WATCH_SECONDS = 0.02


class Router(SshDevice):
    def __init__(self, folder: Path, *, board: str = "example,router-v1", **more: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        tools = folder / "bin"
        tools.mkdir(exist_ok=True)
        for script in SCRIPTS.iterdir():
            shutil.copy(script, tools / script.name)
        for name in APPLETS if BUSYBOX else ():
            if not (tools / name).exists():
                (tools / name).symlink_to(BUSYBOX or "")
        path = f"{tools.resolve()}:{os.environ['PATH']}"
        super().__init__(folder, environment={"PATH": path}, **more)
        for name in (
            "tmp/sysinfo",
            "proc/sys/kernel/random",
            "proc/sys/vm",
            "etc",
            "root",
            "uci",
        ):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        self.board = board
        self.put("tmp/sysinfo/board_name", board)
        self.put("tmp_free", str(128 * 1024))
        self.put(
            "proc/meminfo", "MemTotal: 262144 kB\nMemFree: 1 kB\nMemAvailable: 200000 kB\n"
        )
        self.run_release(RELEASES["old"])
        self.ended = threading.Event()
        self.watcher = threading.Thread(target=self.watch, daemon=True)

    def put(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")

    def has(self, name: str) -> bool:
        return (self.root / name).exists()

    def has_only(self, *names: str) -> None:
        """Leave these programs for downloads: curl, wget."""
        for name in ("curl", "wget"):
            path = self.folder / "bin" / name
            path.unlink(missing_ok=True)
            if name not in names:
                path.write_text("#!/bin/sh\nexit 127\n")
                path.chmod(0o755)
            elif name == "wget" and BUSYBOX:
                path.symlink_to(BUSYBOX)

    def log_arguments(self, name: str) -> None:
        """Write the arguments of each call of a program to commands.log."""
        path = self.folder / "bin" / name
        real = path.readlink() if path.is_symlink() else shutil.which(name)
        path.unlink(missing_ok=True)
        call = f"{real} {name}" if path.name == "wget" and real == Path(BUSYBOX or "") else real
        path.write_text(
            f'#!/bin/sh\necho "$*" >>"{self.folder}/commands.log"\nexec {call} "$@"\n'
        )
        path.chmod(0o755)

    def run_release(self, release: dict[str, str]) -> None:
        """Boot this release."""
        self.put("proc/sys/kernel/random/boot_id", str(uuid4()))
        self.put("proc/uptime", "600.00 900.00")
        known = {"distribution": "OpenWrt", "target": "ath79/generic"}
        board = {"board_name": self.board, "model": "Router", "release": known | release}
        self.put("board.json", json.dumps(board, indent=1))

    @property
    def trouble(self) -> str:
        return (self.root / "trouble").read_text().strip() if self.has("trouble") else ""

    @trouble.setter
    def trouble(self, name: str) -> None:
        self.put("trouble", name)

    @property
    def flashes(self) -> int:
        """How often the device was told to flash."""
        path = self.folder / "flashes.log"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def start(self) -> None:
        super().start()
        if not self.watcher.is_alive():
            self.watcher.start()

    def __exit__(self, *args: object) -> None:
        self.ended.set()
        self.watcher.join()
        super().__exit__(*args)

    def watch(self) -> None:
        request = self.folder / "flash.request"
        while not self.ended.wait(WATCH_SECONDS):
            if request.exists():
                flags = request.read_text()
                request.unlink()
                self.stop()
                self.write_flash(flags)
                if self.trouble != "never":
                    super().start()

    def write_flash(self, flags: str) -> None:
        """Do what the boot loader and the first boot do."""
        with contextlib.suppress(FileNotFoundError):
            (self.root / "tmp/muster-firmware.bin").unlink()
        if self.trouble == "reboot":
            self.run_release(json.loads((self.root / "board.json").read_text())["release"])
            return
        for marker in (self.root / "root").glob(".muster*"):
            marker.unlink()
        if "-n" in flags.split():
            shutil.rmtree(self.root / "etc")
            (self.root / "etc").mkdir()
            self.new_host_key()
        if self.trouble == "moved":
            self.host = "127.0.0.2"
        release = {"slot": RELEASES["old"], "other": RELEASES["other"]}.get(self.trouble)
        self.run_release(release or self.image_release())

    def new_host_key(self) -> None:
        for path in (self.host_key_path, self.host_key_path.with_suffix(".pub")):
            path.unlink()
        make_key(self.host_key_path)

    def image_release(self) -> dict[str, str]:
        text = (self.folder / "flash.image").read_bytes().rpartition(b'{"metadata_version"')[2]
        version = json.JSONDecoder().raw_decode('{"metadata_version"' + text.decode("latin-1"))[
            0
        ]
        return {name: version["version"][name] for name in ("version", "revision")}
