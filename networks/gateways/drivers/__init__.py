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

DRIVERS: Mapping[str, Callable[[Endpoint], Gateway]] = {
    "mikrotik": mikrotik.MikroTik,
    "omada": omada.Omada,
    "openwrt": openwrt.OpenWrt,
    "opnsense": opnsense.OPNsense,
    "pfsense": pfsense.PfSense,
    "proxmox": proxmox.Proxmox,
    "unifi": unifi.UniFi,
}
