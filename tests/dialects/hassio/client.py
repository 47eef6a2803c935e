"""Run the unmodified aiohasupervisor and print the result of each call as JSON.

Usage: client.py BASE_URL TOKEN      (with a Python that has aiohasupervisor)
"""

import asyncio
import json
import sys
from typing import Any

from aiohasupervisor import SupervisorClient
from aiohasupervisor.models import FullBackupOptions, HostOptions


async def chunks(data: bytes) -> Any:
    for at in range(0, len(data), 1000):
        yield data[at : at + 1000]


async def main(url: str, token: str) -> dict[str, str]:
    found: dict[str, str] = {}
    async with SupervisorClient(url, token) as client:
        calls = {
            "info": client.info,
            "ping": client.supervisor.ping,
            "supervisor": client.supervisor.info,
            "supervisor stats": client.supervisor.stats,
            "core": client.homeassistant.info,
            "core stats": client.homeassistant.stats,
            "restart core": client.homeassistant.restart,
            "host": client.host.info,
            "services": client.host.services,
            "rename": lambda: client.host.set_options(HostOptions(hostname="garage")),
            "reboot": client.host.reboot,
            "os": client.os.info,
            "add-ons": client.addons.list,
            "add-on": lambda: client.addons.addon_info("core_ssh"),
            "stop add-on": lambda: client.addons.stop_addon("core_ssh"),
            "stdin": lambda: client.addons.write_addon_stdin("core_ssh", b"hi"),
            "no add-on": lambda: client.addons.addon_info("nope"),
            "backups": client.backups.list,
            "upload": lambda: client.backups.upload_backup(chunks(b"x" * 5000)),
            "backup": lambda: client.backups.full_backup(
                FullBackupOptions(name="fleet", background=True)
            ),
            "security": client.ingress.panels,
        }
        for name, call in calls.items():
            try:
                found[name] = f"ok {await call()}"[:300]
            except Exception as error:  # noqa: BLE001 - what it raises is what is looked for
                found[name] = f"{type(error).__name__}: {error}"
        uploaded = found["upload"].removeprefix("ok ")
        parts = [part async for part in await client.backups.download_backup(uploaded)]
        found["download"] = f"ok {sum(map(len, parts))}"
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))  # noqa: T201
