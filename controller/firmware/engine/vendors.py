"""Firmware calls of vendors' gateways, as features of staged changes."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class VendorFirmware:
    title: str
    feature: str
    names_device: bool = False
    """Whether the call is for one device behind the controller, named by its MAC address."""


# pfSense's API has no call for firmware.
VENDORS: Mapping[str, VendorFirmware] = {
    "mikrotik": VendorFirmware("RouterOS", "mikrotik.system.firmware.install"),
    "opnsense": VendorFirmware("OPNsense", "opnsense.system.firmware_update"),
    "unifi": VendorFirmware("UniFi", "unifi.devices.upgrade", names_device=True),
    "omada": VendorFirmware("Omada", "firmware.upgrade", names_device=True),
}
CHOICES = [(name, one.title) for name, one in VENDORS.items()]


def spelled(vendor: str, mac: str) -> str:
    """Return a MAC address as this vendor's API spells it."""
    return mac.replace(":", "-").upper() if vendor == "omada" else mac.lower()
