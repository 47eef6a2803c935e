"""Addresses for people."""

from networks.admin.addresses import IpAddressAdmin, SubnetAdmin

__all__ = ["IpAddressAdmin", "SubnetAdmin"]
