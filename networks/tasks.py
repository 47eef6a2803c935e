"""Celery tasks of the Django app ``networks``, all named ``networks.tasks.*``."""

from networks.gateways.tasks import (
    advance_set,
    apply_change,
    apply_due,
    back_up_gateways,
    expire_changes,
    poll_gateways,
    prune_gateway_backups,
    reconcile_changes,
)
from networks.overlay.tasks import advance_ways
from networks.overlay.tasks import refresh_presence as look

__all__ = [
    "advance_set",
    "advance_ways",
    "apply_change",
    "apply_due",
    "back_up_gateways",
    "expire_changes",
    "look",
    "poll_gateways",
    "prune_gateway_backups",
    "reconcile_changes",
]
