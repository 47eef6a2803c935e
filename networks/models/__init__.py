"""Addresses that are given out."""

from networks.models.addresses import IpAddress, Subnet

__all__ = ["IpAddress", "Subnet"]
