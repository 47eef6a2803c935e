"""Gateways of vendors, their status and their staged changes."""

from networks.gateways.models.backups import (
    BACKUPS,
    GatewayBackup,
    GatewayBackupPolicy,
    StoredConfiguration,
    deflated,
)
from networks.gateways.models.changes import (
    CHANGES,
    Change,
    ChangeApproval,
    ChangeEvent,
    ChangeSet,
)
from networks.gateways.models.gateways import VENDOR_NAMES, Gateway, GatewayStatus

__all__ = [
    "BACKUPS",
    "CHANGES",
    "VENDOR_NAMES",
    "Change",
    "ChangeApproval",
    "ChangeEvent",
    "ChangeSet",
    "Gateway",
    "GatewayBackup",
    "GatewayBackupPolicy",
    "GatewayStatus",
    "StoredConfiguration",
    "deflated",
]
