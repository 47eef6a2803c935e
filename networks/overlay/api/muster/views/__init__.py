"""Views of overlay networks in Muster's own API."""

from networks.overlay.api.muster.views.networks import (
    CodeViewSet,
    MemberViewSet,
    NetworkViewSet,
    NodeViewSet,
    ShareViewSet,
)
from networks.overlay.api.muster.views.relays import RelayViewSet
from networks.overlay.api.muster.views.subnets import SubnetViewSet
from networks.overlay.api.muster.views.ways import WayViewSet

__all__ = [
    "CodeViewSet",
    "MemberViewSet",
    "NetworkViewSet",
    "NodeViewSet",
    "RelayViewSet",
    "ShareViewSet",
    "SubnetViewSet",
    "WayViewSet",
]
