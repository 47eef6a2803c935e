"""Models of overlay networks."""

from networks.overlay.models.networks import (
    PERMISSIONS,
    Account,
    JoinCode,
    Member,
    Network,
    Node,
    Share,
    Told,
    neighbor_of,
)
from networks.overlay.models.subnets import MemberSubnet
from networks.overlay.models.ways import Pair, Sighting, WayMeasures

__all__ = [
    "PERMISSIONS",
    "Account",
    "JoinCode",
    "Member",
    "MemberSubnet",
    "Network",
    "Node",
    "Pair",
    "Share",
    "Sighting",
    "Told",
    "WayMeasures",
    "neighbor_of",
]
