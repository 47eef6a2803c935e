"""Writing a change to its gateway: once in effect, or nobody says that it was.

The change is claimed by a conditional update, and what is to be done is on its row before
anything is sent. Whoever is interrupted leaves it *unknown*, and the truth is read from the
gateway later (``reconciling``).
"""

from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from controller.accounts.models import User
from controller.base.errors import (
    Conflict,
    NotPermitted,
    OutcomeUnknown,
    Refused,
    TimedOut,
    Unreachable,
)
from networks.drivers.gateways.contract import Gateway as Connection
from networks.drivers.gateways.contract import Rejected
from networks.engine.features import differs
from networks.models import Change
from networks.rules.changes import drifted, may_write, move, note, only
from networks.rules.gateways import connect

State = Change.State


def apply(change: Change, *, by: User, force: bool, accepts_drift: bool = False) -> Change:
    """Write a pending change to its gateway, and read back what it holds then."""
    may_write(by, change.gateway, change.what)
    if settings.ADAPTER_READ_ONLY:
        raise NotPermitted("The portal is read-only: ADAPTER_READ_ONLY is true.")
    if not force:
        raise NotPermitted('Say "force": true to write this to the live device.')
    claim(change)
    try:
        with connect(change.gateway) as device:
            prepare(change, device, accepts_drift=accepts_drift)
            send(change, device, by)
    except Refused as error:
        settle(change, error, by)
        raise
    return change


def claim(change: Change) -> None:
    try:
        with transaction.atomic():
            move(change, State.PENDING, State.APPLYING, started=timezone.now(), intent=None)
    except IntegrityError as error:
        change.refresh_from_db()
        raise Conflict(
            "Another change of this gateway is being applied, or its outcome is not known yet."
        ) from error


def prepare(change: Change, device: Connection, *, accepts_drift: bool) -> None:
    """See what the gateway holds, and write down what will be sent, before it is sent."""
    feature, target = change.what, change.target_id
    intent: dict[str, Any] = {"at": timezone.now().isoformat()}
    if feature.deed:
        intent["started"] = device.started(feature, change.wanted)
    elif change.operation == "create":
        intent["ids"] = device.ids(feature, change.wanted)
    else:
        target = target or only(device, feature)
        intent["before"] = live = device.read(feature, target)
        if live is None or (drifted(change, live) and not accepts_drift):
            raise Conflict(
                "The gateway is not as it was when this was staged. Look at the difference, "
                'and say "accept_drift": true, or stage it again.'
            )
    move(change, State.APPLYING, State.APPLYING, intent=intent, target_id=target)


def send(change: Change, device: Connection, by: User | None) -> None:
    feature = change.what
    values = feature.values(change.full_payload)
    target = device.write(feature, change.operation, change.target_id, values)
    finish(change, device, target, by)


def finish(change: Change, device: Connection, target: str, by: User | None) -> None:
    """It is written: put it into effect, and see whether it is there."""
    feature = change.what
    try:
        device.activate(feature)
        after = None if feature.deed else device.read(feature, target)
    except Refused as error:
        raise OutcomeUnknown(
            f"It is written, and not in effect for certain: {error}"
        ) from error
    if not feature.deed and not held(change, after):
        raise Rejected("The gateway says that it is done, and holds something else.")
    with transaction.atomic():
        move(
            change, change.state, State.APPLIED, after=after, target_id=target,
            applied=timezone.now(), outcome="",
        )  # fmt: skip
        before = (change.intent or {}).get("before")
        note(change, "apply", by=by, before=before, after=after or change.payload)
        if change.inverse_of is not None:
            _take_back(change.inverse_of)


def _take_back(origin: Change) -> None:
    if origin.state == State.APPLIED:
        move(origin, State.APPLIED, State.ROLLED_BACK)
        note(origin, "roll_back")


def held(change: Change, found: dict[str, str] | None) -> bool:
    """Whether this is what the change was for."""
    if change.operation == "delete":
        return found is None
    return found is not None and not differs(change.wanted, found)


def settle(change: Change, error: Refused, by: User | None) -> None:
    """Where a change is left that was not applied: it waits, has failed, or nobody knows."""
    new = State.FAILED
    if isinstance(error, OutcomeUnknown):
        new = State.UNKNOWN
    elif change.intent is None or isinstance(error, Unreachable | TimedOut):
        new = State.PENDING
    with transaction.atomic():
        move(change, State.APPLYING, new, outcome=str(error))
        note(change, "apply", text=str(error), outcome="failed", by=by)
