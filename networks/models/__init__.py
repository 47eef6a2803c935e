"""Addresses that are given out, and overlay networks."""

from networks.models.addresses import IpAddress, Subnet
from networks.models.divisions import Division, DivisionRule
from networks.models.overlay import (
    PERMISSIONS,
    Account,
    DirectPath,
    JoinCode,
    Member,
    Network,
    Node,
    Share,
)

__all__ = [
    "PERMISSIONS",
    "Account",
    "DirectPath",
    "Division",
    "DivisionRule",
    "IpAddress",
    "JoinCode",
    "Member",
    "Network",
    "Node",
    "Share",
    "Subnet",
]
