"""Demo supervisors of both flavors: ``python -m tests.fleet.supervisors``.

Their ports and keys are kept across restarts, as on devices.
"""

import argparse
import asyncio
from pathlib import Path

from tests.fleet.balena import BalenaSupervisor
from tests.fleet.hassio import HassioSupervisor
from tests.fleet.state import kept, tell_and_run

FLAVORS: dict[str, type[BalenaSupervisor | HassioSupervisor]] = {
    "balena": BalenaSupervisor,
    "hassio": HassioSupervisor,
}


async def serve(folder: Path) -> None:
    path = folder / "supervisors.json"
    told = kept(path)
    for flavor, make in FLAVORS.items():
        before = told.get(flavor, {})
        device = make(port=before.get("port", 0))
        device.key = before.get("key", device.key)
        device.reboot_seconds = 5.0
        await device.listen()
        told[flavor] = {"address": device.host, "port": device.port, "key": device.key}
        if isinstance(device, BalenaSupervisor):
            told[flavor]["app_id"] = device.app_id
    await tell_and_run(path, told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    asyncio.run(serve(parser.parse_args().folder))


if __name__ == "__main__":
    main()
