"""Approval of rollouts and upgrades by a second person, where the organization asks for it."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.accounts.rules.audit import record_audit
from controller.base.errors import Conflict, NotPermitted
from controller.celery import enqueue_on_commit
from controller.firmware.models import FirmwarePolicy, FirmwareRollout, Upgrade
from controller.firmware.rules.policies import policy_of
from controller.firmware.rules.upgrades import (
    RUN,
    UNDER_WAY,
    appended,
    publish_progress,
    publish_rollout,
)

MISSING = "The organization asks for a second person: somebody else approves it first."


def is_needed(rollout: FirmwareRollout) -> bool:
    """Return whether a rollout needs an approval; one of all organizations if any asks."""
    if rollout.organization_id is None:
        return FirmwarePolicy.objects.filter(needs_approval=True).exists()
    return policy_of(rollout.organization_id).needs_approval


def check_approved(rollout: FirmwareRollout) -> None:
    """Raise NotPermitted if an approval is needed and missing."""
    by = rollout.approved_by_id
    if is_needed(rollout) and (by is None or by == rollout.author_id):
        raise NotPermitted(MISSING)


@transaction.atomic
def approve_rollout(rollout: FirmwareRollout, *, by: User) -> FirmwareRollout:
    """Approve a draft, which cannot be changed; raise NotPermitted for its author."""
    _check_person(by, rollout.author_id)
    row: FirmwareRollout = FirmwareRollout.objects.select_for_update(of=("self",)).get(
        pk=rollout.pk
    )
    if row.state != FirmwareRollout.State.DRAFT:
        raise Conflict(gettext("It has been started already."))
    row.approved_by = by
    row.save()
    record_audit("firmware.approve", row, after={"build": row.cargo}, by=by)
    publish_rollout(row)
    return row


@transaction.atomic
def approve_upgrade(row: Upgrade, *, by: User) -> Upgrade:
    """Queue a proposed upgrade; raise NotPermitted for its author."""
    _check_person(by, row.author_id)
    if Upgrade.objects.filter(device=row.device_id, state__in=Upgrade.OPEN).exists():
        raise Conflict(UNDER_WAY)
    now, text = timezone.now(), f"Approved by {by.get_username()}."
    proposed = Upgrade.objects.filter(pk=row.pk, state=Upgrade.State.PROPOSED)
    if not proposed.update(
        state=Upgrade.State.QUEUED, not_before=now, modified=now, log=appended(text)
    ):
        raise Conflict(gettext("It does not wait for an approval."))
    row.refresh_from_db()
    record_audit("firmware.approve", row.device, after={"image": row.image_name}, by=by)
    publish_progress(row)
    enqueue_on_commit(RUN)
    return row


def _check_person(by: User, author_id: object) -> None:
    if by.pk == author_id:
        raise NotPermitted(gettext("The author does not approve it: that takes somebody else."))
    if by.scopes is not None:
        raise NotPermitted(
            gettext("A key of limited scope does not approve upgrades: a person does.")
        )
