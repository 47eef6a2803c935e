"""Four-eyes approval of changes. An approval is bound to the change's digest."""

from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Conflict, NotPermitted
from networks.gateways.models import Change, ChangeApproval, Gateway
from networks.gateways.rules.changes import may_write
from networks.gateways.rules.transitions import log_event, transition

State = Change.State


def is_needed(change: Change) -> bool:
    """Return whether the change needs an approval. Rollbacks of a set need none."""
    policy = change.gateway.approval
    if policy == Gateway.Approval.NOBODY or change.is_rollback:
        return False
    return policy == Gateway.Approval.EVERY or change.what.catastrophic


def is_approved(change: Change) -> bool:
    """Return whether a user other than the author approved the change's current form."""
    found = change.approvals.filter(digest=change.digest).select_related("user")
    return any(not change.is_written_by(one.user) and _may(one.user, change) for one in found)


def _may(user: User, change: Change) -> bool:
    try:
        may_write(user, change.gateway, change.what)
    except NotPermitted:
        return False
    return True


def waiting_state(change: Change) -> str:
    """Return the state of a change that is not being applied: approved or pending."""
    return State.APPROVED if is_approved(change) else State.PENDING


def approve(change: Change, *, by: User) -> Change:
    """Approve the current digest.

    Raises NotPermitted for the author and for scoped keys.
    """
    may_write(by, change.gateway, change.what)
    if change.is_written_by(by):
        raise NotPermitted(
            gettext("You staged or amended this change, so another person must approve it.")
        )
    if by.scopes is not None:
        raise NotPermitted(
            gettext("A key of limited scope does not approve changes: a person does.")
        )
    try:
        with transaction.atomic():
            ChangeApproval.objects.create(change=change, user=by, digest=change.digest)
            transition(change, State.PENDING, State.APPROVED)
            log_event(change, "approve", by=by, after={"digest": change.digest})
    except IntegrityError as error:
        raise Conflict(gettext("You have approved this already.")) from error
    return change


def ready(change: Change) -> None:
    """Raise NotPermitted if a required approval is missing."""
    if is_needed(change) and not is_approved(change):
        raise NotPermitted(
            gettext(
                "On this gateway somebody else approves such a change first: "
                "POST …/approve, by another person who may write it."
            )
        )
