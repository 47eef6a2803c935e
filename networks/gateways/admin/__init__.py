"""Gateways, their changes and change sets."""

from networks.gateways.admin.backups import GatewayBackupAdmin, GatewayBackupPolicyAdmin
from networks.gateways.admin.change_sets import ChangeSetAdmin
from networks.gateways.admin.changes import ChangeAdmin
from networks.gateways.admin.gateways import GatewayAdmin

__all__ = [
    "ChangeAdmin",
    "ChangeSetAdmin",
    "GatewayAdmin",
    "GatewayBackupAdmin",
    "GatewayBackupPolicyAdmin",
]
