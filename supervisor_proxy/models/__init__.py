"""Supervisors, their calls, Home Assistant state and backups."""

from supervisor_proxy.models.backups import BACKUPS, BackupPlan, StoredBackup
from supervisor_proxy.models.calls import (
    CALLS,
    RememberedAnswer,
    SupervisorBatch,
    SupervisorCall,
)
from supervisor_proxy.models.campaigns import CAMPAIGNS, CampaignDevice, UpdateCampaign
from supervisor_proxy.models.homes import Home, HomeAlert
from supervisor_proxy.models.ingress import IngressSession
from supervisor_proxy.models.supervisors import Supervisor

__all__ = [
    "BACKUPS",
    "CALLS",
    "CAMPAIGNS",
    "BackupPlan",
    "CampaignDevice",
    "Home",
    "HomeAlert",
    "IngressSession",
    "RememberedAnswer",
    "StoredBackup",
    "Supervisor",
    "SupervisorBatch",
    "SupervisorCall",
    "UpdateCampaign",
]
