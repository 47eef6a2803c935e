"""The models of the Django app ``networks``, from its three packages."""

from networks.gateways.models import (
    Change,
    ChangeApproval,
    ChangeEvent,
    ChangeSet,
    Gateway,
    GatewayBackup,
    GatewayBackupPolicy,
    GatewayStatus,
    StoredConfiguration,
)
from networks.ipam.models import Division, DivisionRule, IpAddress, Subnet
from networks.overlay.models import (
    Account,
    JoinCode,
    Member,
    MemberSubnet,
    Network,
    Node,
    Pair,
    Share,
    Sighting,
)

__all__ = [
    "Account",
    "Change",
    "ChangeApproval",
    "ChangeEvent",
    "ChangeSet",
    "Division",
    "DivisionRule",
    "Gateway",
    "GatewayBackup",
    "GatewayBackupPolicy",
    "GatewayStatus",
    "IpAddress",
    "JoinCode",
    "Member",
    "MemberSubnet",
    "Network",
    "Node",
    "Pair",
    "Share",
    "Sighting",
    "StoredConfiguration",
    "Subnet",
]
