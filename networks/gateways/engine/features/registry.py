"""Registry of all features of all vendors, by key and alias."""

from collections.abc import Mapping
from dataclasses import replace

from networks.gateways.engine.features.feature import Feature
from networks.gateways.engine.features.mikrotik import MIKROTIK
from networks.gateways.engine.features.omada import OMADA
from networks.gateways.engine.features.openwrt import OPENWRT
from networks.gateways.engine.features.opnsense import OPNSENSE
from networks.gateways.engine.features.pfsense import PFSENSE
from networks.gateways.engine.features.proxmox import PROXMOX
from networks.gateways.engine.features.restores import RESTORES
from networks.gateways.engine.features.unifi import UNIFI

ALL: tuple[Feature, ...] = (*OPNSENSE, *OPENWRT, *MIKROTIK, *PROXMOX, *PFSENSE, *UNIFI, *OMADA)
# Some of FreeSDN's keys contain the operation and allow only that one.
VERBS = {"create": ("create",), "update": ("update",), "delete": ("delete",)}


def named(one: Feature, name: str) -> Feature:
    last = name.rsplit(".", 1)[-1].split("_", maxsplit=1)[0]
    return replace(one, operations=VERBS[last]) if last in VERBS and name != one.key else one


FEATURES: Mapping[str, Feature] = {
    name: named(one, name) for one in (*ALL, *RESTORES.values()) for name in one.known_as()
}
VENDORS: tuple[str, ...] = tuple(dict.fromkeys(one.vendor for one in ALL))
AREAS: tuple[str, ...] = tuple(dict.fromkeys(one.area for one in ALL))
