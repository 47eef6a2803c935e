"""Bulk operations: draft, preview, and execution row by row.

Each device is a transaction of its own that includes the row's result: a worker that dies
leaves a waiting row and nothing half done.
"""

import logging
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import Organization, Site, User
from controller.base.errors import Conflict, NotPermitted, Refused
from controller.base.events import Event, publish
from controller.base.leases import FREE, LeaseHolder
from controller.base.request_context import current_context, use_context
from controller.celery import enqueue_on_commit
from controller.configs.models import (
    BULK_ROWS,
    Config,
    DeviceBatch,
    DeviceBatchRow,
    Template,
    TemplateUse,
)
from controller.configs.rules import change_preview
from controller.configs.rules.bulk_actions import (
    BULK_ACTIONS,
    BulkCandidate,
    BulkTarget,
    bulk_candidates,
    templates_after,
)
from controller.configs.rules.group_templates import templates_after_group_change
from controller.configs.rules.rendering import Inputs, inputs
from controller.configs.rules.templates import with_required
from controller.devices.models import Device, DeviceGroup

RUN = "controller.configs.tasks.run_batches"
# A worker yields to other tasks after this time.
TURN_SECONDS = 5.0
DRAFTS_STAY = timedelta(days=1)
State, RowState, Kind = DeviceBatch.State, DeviceBatchRow.State, DeviceBatch.Kind
# A row at which so many workers died is not given to another one.
MOST_ATTEMPTS = 3
WORKERS_DIED = f"{MOST_ATTEMPTS} workers died at it."
FAILED = "Muster failed at it: its log says why."
CHANGED = "It is {} devices now, and not {} as you were shown. Look at them again."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Eligibility:
    """Prediction for one row; an empty reason means that it will be executed."""

    row: DeviceBatchRow
    reason: str


# --- drafts


@transaction.atomic
def create_draft(user: User, kind: str, devices: Any) -> DeviceBatch:
    """Create a draft for these devices (a queryset); raise Refused if it is empty."""
    chosen = list(devices.order_by("name").values_list("pk", "name", "organization"))
    if not chosen:
        raise Refused(gettext("Select devices first."))
    owners = {owner for _, _, owner in chosen}
    batch = DeviceBatch(
        kind=kind,
        user=user,
        organization=Organization.objects.get(pk=owners.pop()) if len(owners) == 1 else None,
        title=str(Kind(kind).label),
    )
    batch.save()
    DeviceBatchRow.objects.bulk_create(
        (DeviceBatchRow(batch=batch, device_id=pk, name=name) for pk, name, _ in chosen),
        batch_size=1000,
    )
    return batch


def choices(batch: DeviceBatch, user: User) -> Any:
    """Return the groups, sites or templates that may be the target, as a queryset."""
    owners = Device.objects.filter(batch_rows__batch=batch).values("organization")
    if BULK_ACTIONS[batch.kind].asks == "group":
        groups = DeviceGroup.objects.visible_to(user).filter(organization__in=owners)
        return groups.select_related("organization").order_by("organization__name", "name")
    if BULK_ACTIONS[batch.kind].asks == "site":
        sites = Site.objects.visible_to(user).filter(organization__in=owners)
        # Seeing a site is not enough to bring devices into it.
        own = [
            s.pk for s in sites if user.has_perm_in("device:update", s.organization_id, s.pk)
        ]
        return sites.filter(pk__in=own).select_related("organization").order_by("name")
    templates: Any = Template.objects.visible_to(user)
    if batch.kind == Kind.REMOVE_TEMPLATE:
        uses = TemplateUse.objects.filter(config__device__batch_rows__batch=batch)
        templates = templates.filter(pk__in=uses.order_by().values("template"))
    return templates.select_related("organization").order_by("name")


def set_target(batch: DeviceBatch, row: DeviceGroup | Site | Template | None) -> DeviceBatch:
    """Set the target group, site or template of a draft; raise Conflict if it was started."""
    if batch.state != State.DRAFT:
        raise Conflict(gettext("It has been started before."))
    batch.values = {BULK_ACTIONS[batch.kind].asks: str(row.pk) if row else None}
    batch.title = f"{Kind(batch.kind).label}: {row or 'none'}"[:200]
    batch.save()
    return batch


def target_of(batch: DeviceBatch) -> BulkTarget:
    asks = BULK_ACTIONS[batch.kind].asks
    if not asks:
        return BulkTarget()
    if asks not in batch.values:
        return BulkTarget(is_chosen=False)
    pk = batch.values[asks]
    if asks == "group" and pk is None:
        return BulkTarget()
    models: dict[str, Any] = {"group": DeviceGroup, "site": Site, "template": Template}
    row = models[asks].objects.filter(pk=pk).first()
    if row is None:
        raise Refused(gettext("The %(asks)s is gone.") % {"asks": asks})
    return BulkTarget(**{asks: row})


def eligibilities(batch: DeviceBatch) -> list[Eligibility]:
    """Return the prediction for each device, in a constant number of queries."""
    wanted = target_of(batch)
    devices = Device.objects.filter(batch_rows__batch=batch).defer(
        "key", "notes", "config__config", "config__context"
    )
    known = {one.device.pk: one for one in bulk_candidates(devices)}
    return [
        Eligibility(
            row, _why_not(batch, known.get(row.device_id) if row.device_id else None, wanted)
        )
        for row in batch.rows.order_by("pk")
    ]


def _why_not(batch: DeviceBatch, one: BulkCandidate | None, wanted: BulkTarget) -> str:
    action = BULK_ACTIONS[batch.kind]
    if one is None:
        return "It is gone."
    if batch.user is None or not batch.user.may_sign_in:
        return "The user who started this was deleted."
    if not batch.user.has_perm_on(action.permission, one.device):
        return "You may not do this to it."
    return action.why_not(one, wanted) if wanted.is_chosen else ""


def preview(batch: DeviceBatch) -> change_preview.ChangePreview:
    """Preview the changed files of a bulk operation's devices that are not excluded."""
    user, wanted = batch.user, target_of(batch)
    rows = [one.row for one in eligibilities(batch) if not one.reason]
    ids = [row.device_id for row in rows if row.device_id]
    configs = Config.objects.filter(device__in=ids, is_retired=False)
    reads = user is not None and all(
        user.has_perm_on("device:secret", device)
        for device in Device.objects.filter(pk__in=ids).only("organization", "site")
    )
    return change_preview.preview_changes(
        configs, lambda config: _inputs_after(config, batch.kind, wanted), is_open=reads
    )


def _inputs_after(config: Config, kind: str, wanted: BulkTarget) -> Inputs:
    device = config.device
    if kind == Kind.GROUP:
        now = [use.template for use in config.uses.all()]
        templates = templates_after_group_change(
            now, config.backend, device.group, wanted.group
        )
        device.group = wanted.group
    else:
        templates = templates_after(config, kind, wanted)
    return inputs(
        device,
        backend=config.backend,
        templates=with_required(device.organization, config.backend, templates),
        config=config.config,
        context=config.context,
    )


def discard(batch: DeviceBatch) -> None:
    if batch.state == State.RUNNING:
        raise Conflict(gettext("It is under way: stop it first."))
    batch.delete()


@transaction.atomic
def start(batch: DeviceBatch, *, shown: int) -> DeviceBatch:
    """Start the operation; raise Conflict unless it affects `shown` devices.

    ``shown`` is the number of devices that the user confirmed.
    """
    row: DeviceBatch = DeviceBatch.objects.select_for_update(of=("self",)).get(pk=batch.pk)
    if row.state != State.DRAFT:
        raise Conflict(gettext("It has been started before."))
    if not target_of(row).is_chosen:
        raise Refused(
            gettext("Choose a %(asks)s first.") % {"asks": BULK_ACTIONS[row.kind].asks}
        )
    found = eligibilities(row)
    accepted = sum(not one.reason for one in found)
    if not accepted:
        raise Refused(gettext("There is no device that it can be done to."))
    if accepted != shown:
        raise Conflict(CHANGED.format(accepted, shown))
    now = timezone.now()
    refused = [one.row for one in found if one.reason]
    for one in found:
        one.row.reason = one.reason
        if one.reason:
            one.row.state, one.row.ended = RowState.LEFT, now
    DeviceBatchRow.objects.bulk_update(refused, ["state", "reason", "ended"], batch_size=500)
    row.state, row.started = State.RUNNING, now
    row.save()
    enqueue_on_commit(RUN)
    return row


@transaction.atomic
def stop(batch: DeviceBatch) -> DeviceBatch:
    """Stop the operation; waiting rows are skipped."""
    row: DeviceBatch = DeviceBatch.objects.select_for_update(of=("self",)).get(pk=batch.pk)
    if row.state != State.RUNNING:
        raise Conflict(gettext("It is not under way."))
    row.state, row.ended = State.STOPPED, timezone.now()
    row.save()
    # A worker that executes a row just now rolls its change back.
    row.rows.filter(state=RowState.WAITING).update(
        state=RowState.LEFT, reason="It was stopped before.", ended=row.ended, **FREE
    )
    _tell(row)
    return row


def _tell(batch: DeviceBatch) -> None:
    people = frozenset[UUID]({batch.user_id} if batch.user_id else ())
    owner = batch.organization_id
    publish(
        Event(
            "batch.progress", "device:read", owner, batch.pk, has_site=False, recipients=people
        )
    )


# --- worker


def run_due() -> int:
    """Execute waiting rows for one time slice. Returns the number of devices."""
    BULK_ROWS.put_back()
    holder = LeaseHolder(BULK_ROWS)
    done, until = 0, time.monotonic() + TURN_SECONDS
    while run_next_row(holder):
        done += 1
        if time.monotonic() > until:
            enqueue_on_commit(RUN)
            break
    return done


def run_next_row(holder: LeaseHolder[DeviceBatchRow]) -> bool:
    """Execute the row that waits for the longest time. Returns False if none waits."""
    rows = holder.lease(1, DeviceBatchRow.objects.select_related("batch__user"))
    if not rows:
        finish_completed()
        return False
    (row,) = rows
    try:
        execute_once(row, holder)
    except Refused as refusal:
        holder.end(row, state=RowState.REFUSED, reason=str(refusal), ended=timezone.now())
    except Exception:
        # If it stayed waiting, it would be first again and block all others.
        log.exception("%s of %s failed", row.batch, row.name)
        holder.end(row, state=RowState.REFUSED, reason=FAILED, ended=timezone.now())
    _tell(row.batch)
    return True


@transaction.atomic
def execute_once(row: DeviceBatchRow, holder: LeaseHolder[DeviceBatchRow]) -> None:
    """Execute a row together with its result; raise Conflict if it was stopped meanwhile."""
    if row.attempts > MOST_ATTEMPTS:
        raise Refused(WORKERS_DIED)
    execute_row(row)
    if not holder.end(row, state=RowState.DONE, ended=timezone.now()):
        raise Conflict(gettext("It was stopped while it was executed."))


def finish_completed() -> None:
    waits = DeviceBatchRow.objects.filter(batch=OuterRef("pk"), state=RowState.WAITING)
    for batch in DeviceBatch.objects.filter(~Exists(waits), state=State.RUNNING):
        DeviceBatch.objects.filter(pk=batch.pk, state=State.RUNNING).update(
            state=State.DONE, ended=timezone.now()
        )
        _tell(batch)


def execute_row(row: DeviceBatchRow) -> None:
    batch, user = row.batch, row.batch.user
    found = bulk_candidates(Device.objects.filter(batch_rows=row))
    wanted = target_of(batch)
    reason = _why_not(batch, found[0] if found else None, wanted)
    if reason or user is None:
        raise NotPermitted(reason)
    with use_context(replace(current_context(), actor=user.get_username(), actor_id=user.pk)):
        BULK_ACTIONS[batch.kind].do(found[0], wanted)


def prune() -> int:
    """Delete unused drafts. Returns their number."""
    now = timezone.now()
    drafts = DeviceBatch.objects.filter(state=State.DRAFT, created__lt=now - DRAFTS_STAY)
    gone: int = drafts.delete()[1].get("configs.DeviceBatch", 0)
    return gone
