"""Gateways and their staged changes in the FreeSDN dialect: one view for every vendor and area."""

from networks.api.freesdn.views.changes import (
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
from networks.api.freesdn.views.gateways import FeaturesView, GatewayViewSet, LiveView
from networks.api.freesdn.views.kinds import KINDS, KindView
from networks.api.freesdn.views.sets import ChangeSetViewSet

__all__ = [
    "KINDS",
    "ApplyView",
    "ApproveView",
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
    "SubmitView",
]
