"""The models of the Django app ``networks``, from its three packages."""

from networks.gateways.models import (
    Change,
    ChangeApproval,
    ChangeEvent,
    ChangeSet,
    Gateway,
    GatewayStatus,
)
from networks.ipam.models import Division, DivisionRule, IpAddress, Subnet
from networks.overlay.models import Account, DirectPath, JoinCode, Member, Network, Node, Share

__all__ = [
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
