"""A real snmpd of Net-SNMP on loopback, with a community and a user of version 3."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fleet.ports import free_port

SNMPD = shutil.which("snmpd", path="/usr/sbin:/usr/bin")
COMMUNITY, USER = "readers", "watcher"
AUTH, PRIVACY = "authentication-words", "privacy-words"
CONFIG = """\
agentAddress udp:127.0.0.1:{port}
rocommunity {community} 127.0.0.0/8
createUser {user} SHA-256 "{auth}" AES "{privacy}"
rouser {user} priv
sysName switch-of-the-tests
{more}
"""


@dataclass(frozen=True)
class SnmpAgent:
    port: int
    host: str = "127.0.0.1"


@contextmanager
def snmp_agent(folder: Path, more: str = "") -> Iterator[SnmpAgent]:
    port = free_port(socket.SOCK_DGRAM)
    config = folder / "snmpd.conf"
    config.write_text(
        CONFIG.format(
            port=port, community=COMMUNITY, user=USER, auth=AUTH, privacy=PRIVACY, more=more
        )
    )
    environment = {"SNMP_PERSISTENT_DIR": str(folder / "state"), "MIBS": "", "PATH": "/usr/bin"}
    with (folder / "snmpd.log").open("w") as log:
        process = subprocess.Popen(
            [str(SNMPD), "-f", "-Lo", "-C", "-c", str(config)],
            stdout=log, stderr=log, env=environment,
        )  # fmt: skip
    try:
        wait_for(folder / "snmpd.log", "NET-SNMP version")
        yield SnmpAgent(port)
    finally:
        process.terminate()
        process.wait(20)


def wait_for(log: Path, text: str) -> None:
    end = time.monotonic() + 30
    while text not in log.read_text(errors="replace"):
        assert time.monotonic() < end, log.read_text(errors="replace")
        threading.Event().wait(0.05)
