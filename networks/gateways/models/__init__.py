"""Gateways of vendors, their status and their staged changes."""

from networks.gateways.models.changes import (
    CHANGES,
    Change,
    ChangeApproval,
    ChangeEvent,
    ChangeSet,
)
from networks.gateways.models.gateways import Gateway, GatewayStatus

__all__ = [
    "CHANGES",
    "Change",
    "ChangeApproval",
    "ChangeEvent",
    "ChangeSet",
    "Gateway",
    "GatewayStatus",
]
