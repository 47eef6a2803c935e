"""Addresses that are given out, overlay networks, and gateways."""

from networks.models.addresses import IpAddress, Subnet
from networks.models.divisions import Division, DivisionRule
from networks.models.gateways import Change, ChangeEvent, Gateway
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
    "Change",
    "ChangeEvent",
    "DirectPath",
    "Division",
    "DivisionRule",
    "Gateway",
    "IpAddress",
    "JoinCode",
    "Member",
    "Network",
    "Node",
    "Share",
    "Subnet",
]
