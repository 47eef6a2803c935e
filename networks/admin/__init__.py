"""Addresses and overlay networks for people."""

from networks.admin.addresses import IpAddressAdmin, SubnetAdmin
from networks.admin.meshes import NetworkAdmin
from networks.admin.nodes import NodeAdmin

__all__ = ["IpAddressAdmin", "NetworkAdmin", "NodeAdmin", "SubnetAdmin"]
