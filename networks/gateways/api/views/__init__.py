"""FreeSDN views of gateways and changes: one view for every vendor and area."""

from networks.gateways.api.views.backups import BackupPolicyViewSet, BackupViewSet
from networks.gateways.api.views.changes import (
    ApplyView,
    ApproveView,
    ChangesView,
    ChangeView,
    DiffView,
    DiscardView,
    GatewayChangesView,
    HoldView,
    RollBackView,
    StageAgainView,
    StageView,
    SubmitView,
)
from networks.gateways.api.views.gateways import FeaturesView, GatewayViewSet, LiveView
from networks.gateways.api.views.kinds import KINDS, KindView
from networks.gateways.api.views.live import StatusPartView, StatusView, ToolView
from networks.gateways.api.views.sets import ChangeSetViewSet

__all__ = [
    "KINDS",
    "ApplyView",
    "ApproveView",
    "BackupPolicyViewSet",
    "BackupViewSet",
    "ChangeSetViewSet",
    "ChangeView",
    "ChangesView",
    "DiffView",
    "DiscardView",
    "FeaturesView",
    "GatewayChangesView",
    "GatewayViewSet",
    "HoldView",
    "KindView",
    "LiveView",
    "RollBackView",
    "StageAgainView",
    "StageView",
    "StatusPartView",
    "StatusView",
    "SubmitView",
    "ToolView",
]
