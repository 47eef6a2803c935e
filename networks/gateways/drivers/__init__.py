"""Drivers of vendor gateways, all with the contract in ``contract.py``."""

from collections.abc import Callable, Mapping

from networks.gateways.drivers import (
    mikrotik,
    omada,
    openwrt,
    opnsense,
    pfsense,
    proxmox,
    unifi,
)
from networks.gateways.drivers.contract import Endpoint, Gateway
from networks.gateways.drivers.driver import Driver
from networks.gateways.engine.live import MEASURED, PARTS

KINDS: tuple[type[Driver], ...] = (
    mikrotik.MikroTik,
    omada.Omada,
    openwrt.OpenWrt,
    opnsense.OPNsense,
    pfsense.PfSense,
    proxmox.Proxmox,
    unifi.UniFi,
)
DRIVERS: Mapping[str, Callable[[Endpoint], Gateway]] = {
    "mikrotik": mikrotik.MikroTik,
    "omada": omada.Omada,
    "openwrt": openwrt.OpenWrt,
    "opnsense": opnsense.OPNsense,
    "pfsense": pfsense.PfSense,
    "proxmox": proxmox.Proxmox,
    "unifi": unifi.UniFi,
}
# Parts of the live view by vendor, in the order of the page.
LIVE: Mapping[str, tuple[str, ...]] = {
    one.vendor: tuple(
        name for name in PARTS if name in {*MEASURED, *one.live_parts} - one.live_lacks
    )
    for one in KINDS
}
