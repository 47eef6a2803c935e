"""Addresses that are given out, overlay networks, and gateways."""

from networks.models.addresses import IpAddress, Subnet
from networks.models.changes import Change, ChangeApproval, ChangeEvent, ChangeSet
from networks.models.divisions import Division, DivisionRule
from networks.models.gateways import Gateway, GatewayStatus
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
    "ChangeApproval",
    "ChangeEvent",
    "ChangeSet",
    "DirectPath",
    "Division",
    "DivisionRule",
    "Gateway",
    "GatewayStatus",
    "IpAddress",
    "JoinCode",
    "Member",
    "Network",
    "Node",
    "Share",
    "Subnet",
]
