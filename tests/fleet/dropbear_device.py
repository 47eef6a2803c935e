"""Stand-in OpenWrt router with the SSH server and the tools that OpenWrt has: dropbear, busybox.

Dropbear reads the account of root from /etc/passwd, so it runs in a mount namespace of its own
where that file names the device's folder as home. Needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.fleet.router_device import BUSYBOX, Router

DROPBEAR = shutil.which("dropbear")
KINDS = ("ed25519", "rsa")


class DropbearRouter(Router):
    def __init__(self, folder: Path, **more: Any) -> None:
        super().__init__(folder, **more)
        tools = self.folder / "bin"
        names = subprocess.run(
            [BUSYBOX or "busybox", "--list"], capture_output=True, text=True, check=True
        )
        # The shell of Debian's busybox takes its own df before the stand-in's.
        (tools / "sh").symlink_to("/bin/sh")
        for name in names.stdout.split():
            if not (tools / name).exists():
                (tools / name).symlink_to(BUSYBOX or "")
        self.environment["PATH"] = str(tools)
        self.make_host_keys()

    def make_host_keys(self) -> None:
        """Make new host keys, as a device does at its first boot after a reset."""
        for kind in KINDS:
            path = self.folder / f"dropbear_{kind}"
            path.unlink(missing_ok=True)
            subprocess.run(
                ["dropbearkey", "-t", kind, "-f", path], capture_output=True, check=True
            )
        shown = subprocess.run(
            ["dropbearkey", "-y", "-f", self.folder / "dropbear_ed25519"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        (line,) = (one for one in shown.stdout.splitlines() if one.startswith("ssh-ed25519"))
        self.host_key_path.with_suffix(".pub").write_text(f"{line}\n")

    def new_host_key(self) -> None:
        self.make_host_keys()

    def _spawn(self) -> None:
        self._pid_file.unlink(missing_ok=True)
        ssh = self.folder / ".ssh"
        ssh.mkdir(mode=0o700, exist_ok=True)
        shutil.copy(self.client_key_path.with_suffix(".pub"), ssh / "authorized_keys")
        self.folder.chmod(0o700)
        passwd = self.folder / "passwd"
        passwd.write_text(f"root:x:0:0:root:{self.folder}:/bin/sh\n")
        keys = [
            part for kind in KINDS for part in ("-r", str(self.folder / f"dropbear_{kind}"))
        ]
        # Dropbear sets a PATH of its own.
        command = f'PATH={self.folder}/bin exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"'
        server = [
            DROPBEAR or "dropbear", "-F", "-E", "-e", "-s", *keys,
            "-c", command, "-P", str(self._pid_file), "-p", f"{self.host}:{self.port}",
        ]  # fmt: skip
        mount = f"mount --bind '{passwd}' /etc/passwd && exec \"$@\""
        with (self.folder / "sshd.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "-m", "sh", "-c", mount, "sh", *server],
                stdin=subprocess.DEVNULL, stderr=log, start_new_session=True,
                env={**os.environ, **self.environment},
            )  # fmt: skip
