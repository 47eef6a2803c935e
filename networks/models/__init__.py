"""Addresses that are given out."""

from networks.models.addresses import IpAddress, Subnet
from networks.models.divisions import Division, DivisionRule

__all__ = ["Division", "DivisionRule", "IpAddress", "Subnet"]
