"""Run the unmodified aiohasupervisor and print the result of each call as JSON.

Usage: client.py BASE_URL TOKEN         (with a Python that has aiohasupervisor)
       client.py BASE_URL TOKEN logs    reads each log in each way
"""

import asyncio
import json
import sys
from typing import Any

from aiohasupervisor import SupervisorClient
from aiohasupervisor.models import FullBackupOptions, HostOptions, LogsOptions, Plugin


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


async def logs(url: str, token: str) -> dict[str, str]:
    found: dict[str, str] = {}
    async with SupervisorClient(url, token) as client:

        async def read(name: str, call: Any, *args: Any, **options: Any) -> None:
            try:
                lines = [line async for line in await call(*args, **options)]
                found[name] = "ok " + "|".join(lines)
            except Exception as error:  # noqa: BLE001 - what it raises is what is looked for
                found[name] = f"{type(error).__name__}: {error}"

        sources: dict[str, tuple[Any, ...]] = {
            "supervisor": (client.supervisor.logs,),
            "core": (client.homeassistant.logs,),
            "host": (client.host.logs,),
            "add-on": (client.addons.addon_logs, "core_ssh"),
            **{str(one): (client.plugins.logs, one) for one in Plugin},
        }
        ways: dict[str, dict[str, Any]] = {
            "": {}, "boot": {"boot": 0}, "latest": {"latest": True}, "follow": {"follow": True},
            "followed boot": {"boot": -1, "follow": True},
            "lines": {"options": LogsOptions(lines=5, no_colors=True)},
            "part": {"options": LogsOptions(range="entries=:-9:10")},
        }  # fmt: skip
        for name, call in sources.items():
            for way, options in ways.items():
                if (name, way) != ("host", "latest"):
                    await read(f"{name} {way}".strip(), *call, **options)
        for way in ("", "follow", "boot", "followed boot"):
            options = ways[way] | {"identifier": "kernel"}
            await read(f"kernel {way}".strip(), client.host.logs, **options)
        found["boots"] = f"ok {await client.host.log_boots()}"
        found["identifiers"] = f"ok {await client.host.log_identifiers()}"
    return found


if __name__ == "__main__":
    work = logs if sys.argv[3:] else main
    print(json.dumps(asyncio.run(work(*sys.argv[1:3]))))  # noqa: T201
