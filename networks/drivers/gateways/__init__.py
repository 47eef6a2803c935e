"""Gateways of vendors: one contract, a driver for each."""

from collections.abc import Callable, Mapping

from networks.drivers.gateways import openwrt, opnsense
from networks.drivers.gateways.contract import Endpoint, Gateway

DRIVERS: Mapping[str, Callable[[Endpoint], Gateway]] = {
    "openwrt": openwrt.OpenWrt,
    "opnsense": opnsense.OPNsense,
}
