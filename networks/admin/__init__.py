"""Addresses, overlay networks and gateways for people."""

from networks.admin.addresses import IpAddressAdmin, SubnetAdmin
from networks.admin.changes import ChangeAdmin
from networks.admin.gateways import GatewayAdmin
from networks.admin.meshes import NetworkAdmin
from networks.admin.nodes import NodeAdmin
from networks.admin.sets import ChangeSetAdmin

__all__ = [
    "ChangeAdmin",
    "ChangeSetAdmin",
    "GatewayAdmin",
    "IpAddressAdmin",
    "NetworkAdmin",
    "NodeAdmin",
    "SubnetAdmin",
]
