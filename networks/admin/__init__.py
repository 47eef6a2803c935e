"""Addresses, overlay networks and gateways for people."""

from networks.admin.addresses import IpAddressAdmin, SubnetAdmin
from networks.admin.gateways import ChangeAdmin, GatewayAdmin
from networks.admin.meshes import NetworkAdmin
from networks.admin.nodes import NodeAdmin

__all__ = [
    "ChangeAdmin",
    "GatewayAdmin",
    "IpAddressAdmin",
    "NetworkAdmin",
    "NodeAdmin",
    "SubnetAdmin",
]
