"""Celery tasks of the Django app ``networks``, all named ``networks.tasks.*``."""

from networks.gateways.tasks import (
    advance_set,
    apply_change,
    apply_due,
    expire_changes,
    poll_gateways,
    reconcile_changes,
)
from networks.overlay.tasks import advance_ways
from networks.overlay.tasks import refresh_presence as look

__all__ = [
    "advance_set",
    "advance_ways",
    "apply_change",
    "apply_due",
    "expire_changes",
    "look",
    "poll_gateways",
    "reconcile_changes",
]
