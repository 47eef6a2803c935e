"""Demo gateways, one of each vendor: ``python -m tests.fleet.gateways``.

Their ports are kept across restarts, their state is not.
"""

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path

from tests.fleet.gateway import StandIn
from tests.fleet.mikrotik import MikroTik
from tests.fleet.omada import Omada
from tests.fleet.openwrt import OpenWrt
from tests.fleet.opnsense import OPNsense
from tests.fleet.pfsense import PfSense
from tests.fleet.proxmox import Proxmox
from tests.fleet.state import kept, tell_and_run
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


def seed(devices: Mapping[str, StandIn]) -> None:
    """What a fresh appliance would have that the first steps of the docs change."""
    firewall = devices["opnsense"]
    assert isinstance(firewall, OPNsense)
    firewall.put(
        "wireguard/server", name="wg0", enabled="1", port="51000", tunneladdress="10.9.0.1/24"
    )


async def serve(folder: Path) -> None:
    path = folder / "gateways.json"
    told = kept(path)
    devices = {
        vendor: make(port=told.get(vendor, {}).get("port", 0))
        for vendor, make in VENDORS.items()
    }
    seed(devices)
    for device in devices.values():
        await device.listen()
    told = {
        vendor: {"port": one.port, "url": one.url, "key": one.key, "secret": one.secret}
        for vendor, one in devices.items()
    }
    await tell_and_run(path, told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    asyncio.run(serve(parser.parse_args().folder))


if __name__ == "__main__":
    main()
