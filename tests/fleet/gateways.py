"""One gateway of each vendor on loopback, for the demo: ``python -m tests.fleet.gateways``.

They keep their ports over restarts, and nothing else.
"""

import argparse
import asyncio
import json
import signal
from pathlib import Path

from tests.fleet.gateway import StandIn
from tests.fleet.mikrotik import MikroTik
from tests.fleet.omada import Omada
from tests.fleet.openwrt import OpenWrt
from tests.fleet.opnsense import OPNsense
from tests.fleet.pfsense import PfSense
from tests.fleet.proxmox import Proxmox
from tests.fleet.unifi import UniFi

VENDORS: dict[str, type[StandIn]] = {
    "mikrotik": MikroTik,
    "omada": Omada,
    "openwrt": OpenWrt,
    "opnsense": OPNsense,
    "pfsense": PfSense,
    "proxmox": Proxmox,
    "unifi": UniFi,
}


async def serve(folder: Path) -> None:
    kept = folder / "gateways.json"
    told = json.loads(kept.read_text()) if kept.exists() else {}
    devices = {
        vendor: make(port=told.get(vendor, {}).get("port", 0))
        for vendor, make in VENDORS.items()
    }
    for device in devices.values():
        await device.listen()
    told = {
        vendor: {"port": one.port, "url": one.url, "key": one.key, "secret": one.secret}
        for vendor, one in devices.items()
    }
    whole = folder / "gateways.json.new"
    whole.write_text(json.dumps(told))
    whole.rename(kept)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    asyncio.run(serve(parser.parse_args().folder))


if __name__ == "__main__":
    main()
