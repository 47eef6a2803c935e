"""The admin classes of the Django app ``networks``, from its three packages."""

from networks.gateways.admin import ChangeAdmin, ChangeSetAdmin, GatewayAdmin
from networks.ipam.admin import IpAddressAdmin, SubnetAdmin
from networks.overlay.admin import NetworkAdmin, NodeAdmin

__all__ = [
    "ChangeAdmin",
    "ChangeSetAdmin",
    "GatewayAdmin",
    "IpAddressAdmin",
    "NetworkAdmin",
    "NodeAdmin",
    "SubnetAdmin",
]
