"""State transitions of changes, and their history, audit and events."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext

from controller.accounts.models import User
from controller.accounts.rules import audit
from controller.base.errors import Conflict
from controller.base.events import event_for, publish
from controller.base.leases import FREE
from controller.notifications.rules.notices import record_notices
from networks.gateways.engine.features import MASK
from networks.gateways.models import Change, ChangeEvent

READ = "network:read"
LEASED = (Change.State.APPLYING, Change.State.VERIFYING)


def transition(change: Change, old: str, new: str, **values: Any) -> None:
    """Compare-and-swap the change's state; raise Conflict if it moved meanwhile.

    A change that no worker applies any more has no lease.
    """
    if new not in LEASED:
        values |= FREE
    moved = Change.objects.filter(pk=change.pk, state=old, version=change.version).update(
        state=new, version=change.version + 1, **values
    )
    if not moved:
        now = Change.objects.filter(pk=change.pk).values_list("state", flat=True).first()
        raise Conflict(
            gettext("change is %(value)s, not %(old)s") % {"value": now or "gone", "old": old}
        )
    change.state, change.version = new, change.version + 1
    for name, value in values.items():
        setattr(change, name, value)


def log_event(
    change: Change,
    action: str,
    *,
    text: str = "",
    outcome: str = "done",
    by: User | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Append to the change's history, the audit log and the event stream."""
    ChangeEvent.objects.create(
        change=change, state=change.state, text=text, actor=by.get_username() if by else ""
    )
    audit.record_audit(
        f"change.{action}",
        change,
        outcome=outcome,
        detail=text,
        before=before,
        after=after,
        by=by,
    )
    event = event_for(
        change, "change.progress", READ,
        name=f"{change} on {change.gateway}", state=change.state, feature=change.feature,
    )  # fmt: skip
    publish(event)
    record_notices([event])


def shown_payload(change: Change) -> dict[str, Any]:
    return {**change.payload, **dict.fromkeys(change.secrets or {}, MASK)}
