"""Subnets, addresses and their division."""

from networks.ipam.models.addresses import IpAddress, Subnet
from networks.ipam.models.division import Division, DivisionRule

__all__ = ["Division", "DivisionRule", "IpAddress", "Subnet"]
