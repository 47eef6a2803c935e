"""Overlay networks and their nodes."""

from networks.overlay.admin.networks import NetworkAdmin
from networks.overlay.admin.nodes import NodeAdmin

__all__ = ["NetworkAdmin", "NodeAdmin"]
