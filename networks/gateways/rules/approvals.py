"""That a second person agrees to a change, and to nothing but that."""

from django.db import IntegrityError, transaction

from controller.accounts.models import User
from controller.base.errors import Conflict, NotPermitted
from networks.gateways.models import Change, ChangeApproval, Gateway
from networks.gateways.rules.changes import may_write
from networks.gateways.rules.transitions import log_event, transition

State = Change.State


def is_needed(change: Change) -> bool:
    """Whether somebody else has to agree first. A way back was agreed to with its set."""
    policy = change.gateway.approval
    if policy == Gateway.Approval.NOBODY or change.is_rollback:
        return False
    return policy == Gateway.Approval.EVERY or change.what.catastrophic


def is_approved(change: Change) -> bool:
    """By somebody else, who may write it today, and as it is now."""
    found = change.approvals.filter(digest=change.digest).exclude(user=change.author)
    return any(_may(one.user, change) for one in found.select_related("user"))


def _may(user: User, change: Change) -> bool:
    try:
        may_write(user, change.gateway, change.what)
    except NotPermitted:
        return False
    return True


def waiting_state(change: Change) -> str:
    """Where a change waits that is not being applied."""
    return State.APPROVED if is_approved(change) else State.PENDING


def approve(change: Change, *, by: User) -> Change:
    """Agree to it as it is now; what is amended later is another change."""
    may_write(by, change.gateway, change.what)
    if by.pk == change.author_id:
        raise NotPermitted("Who staged a change does not approve it: that takes somebody else.")
    if by.scopes is not None:
        raise NotPermitted("A key of limited scope does not approve changes: a person does.")
    try:
        with transaction.atomic():
            ChangeApproval.objects.create(change=change, user=by, digest=change.digest)
            transition(change, State.PENDING, State.APPROVED)
            log_event(change, "approve", by=by, after={"digest": change.digest})
    except IntegrityError as error:
        raise Conflict("You have approved this already.") from error
    return change


def ready(change: Change) -> None:
    """Raise unless a change may be applied as far as others have to agree."""
    if is_needed(change) and not is_approved(change):
        raise NotPermitted(
            "On this gateway somebody else approves such a change first: "
            "POST …/approve, by another person who may write it."
        )
