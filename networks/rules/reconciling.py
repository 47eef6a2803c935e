"""Finding out what became of changes that nobody saw the end of."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from controller.base.errors import Conflict, Refused
from networks.drivers.gateways.contract import Gateway as Connection
from networks.engine.features import differs
from networks.models import Change
from networks.rules.applying import finish, held
from networks.rules.changes import move, note
from networks.rules.gateways import connect

AT_ONCE = 20
# Whoever applies a change is done or gone by then.
GONE_AFTER = timedelta(minutes=5)
# A gateway that has not booted by then will not do so because of us.
DEED_AFTER = timedelta(minutes=15)

State = Change.State
log = logging.getLogger(__name__)


def reconcile() -> int:
    """Look after changes that are unknown, or whose worker is gone; how many were settled."""
    now = timezone.now()
    settled = 0
    for change in Change.objects.filter(state=State.APPLYING, started__lt=now - GONE_AFTER):
        _adopt(change)
    # What was sent may still be on its way for a moment.
    rested = now - timedelta(seconds=settings.MUSTER_GATEWAY_SETTLE_SECONDS)
    rows = Change.objects.filter(state=State.UNKNOWN, started__lte=rested).order_by("started")
    for change in rows.select_related("gateway")[:AT_ONCE]:
        try:
            settled += find_truth(change)
        except Refused as error:
            log.info("The outcome of change %s is still unknown: %s", change.pk, error)
    return settled


def _adopt(change: Change) -> None:
    """Its worker is gone: before it sent anything, or perhaps after."""
    text = "The worker that applied it is gone."
    sent = change.intent is not None
    try:
        with transaction.atomic():
            move(change, State.APPLYING, State.UNKNOWN if sent else State.PENDING, outcome=text)
            note(change, "interrupted", text=text, outcome="failed")
    except Conflict:
        log.info("Change %s went on by itself.", change.pk)


def find_truth(change: Change) -> bool:
    """Ask the gateway whether the change is there; whether that told it."""
    with connect(change.gateway) as device:
        target = _written(change, device)
        if target is not None:
            finish(change, device, target, None)
            return True
        if change.what.deed and change.started and timezone.now() - change.started < DEED_AFTER:
            return False
        if _untouched(change, device):
            _close(change, State.PENDING, "It did not reach the gateway, and can be applied.")
        else:
            _close(
                change, State.FAILED, "The gateway holds neither what was nor what was to be."
            )
    return True


def _written(change: Change, device: Connection) -> str | None:
    """The id of what the change wrote, if it did."""
    feature, intent = change.what, change.intent or {}
    if feature.deed:
        now = device.started(feature, change.wanted)
        return "" if now != intent["started"] else None
    if change.operation != "create":
        return (
            change.target_id if held(change, device.read(feature, change.target_id)) else None
        )
    new = [one for one in device.ids(feature, change.wanted) if one not in intent["ids"]]
    fitting = [one for one in new if held(change, device.read(feature, one))]
    return fitting[0] if fitting else None


def _untouched(change: Change, device: Connection) -> bool:
    if change.what.deed or change.operation == "create":
        return True
    before = (change.intent or {}).get("before") or {}
    found = device.read(change.what, change.target_id)
    return found is not None and not differs(before, found)


@transaction.atomic
def _close(change: Change, new: str, text: str) -> None:
    move(change, State.UNKNOWN, new, outcome=text)
    note(change, "reconcile", text=text, outcome="failed")
