"""Record the outcome of a push and update the status of its configuration."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from controller.base.leases import FREE, LeaseHolder, assign
from controller.configs.drivers.contract import Outcome
from controller.configs.models import PUSHES, Config, Push, Snapshot
from controller.configs.rules.agent_cache import publish_checksums, publish_status
from controller.configs.rules.push_queue import open_missing

REASON_LENGTH = 1024
TRUNCATED = "\n[truncated]"
# Time for a triggered agent to download, apply and report.
AGENT_PAUSE = timedelta(minutes=2)


@transaction.atomic
def record_outcomes(holder: LeaseHolder[Push], outcomes: Mapping[int, Outcome]) -> None:
    """Record the outcomes of pushes (by their id) and update the configurations.

    Applied and failed end a push. If the device was unreachable or busy, or the outcome is
    unknown,
    the push stays open and is retried or verified after a growing pause. Pushes that
    ``holder`` no longer
    holds are left unchanged.
    """
    held = holder.mine.filter(pk__in=outcomes).select_for_update(of=("self",)).order_by("pk")
    pushes = {push.pk: push for push in held}
    configs = {
        config.pk: config
        for config in Config.objects.select_for_update(of=("self",))
        .filter(pk__in={push.config_id for push in pushes.values()})
        .order_by("pk")
    }
    for pk, push in pushes.items():
        _record_outcome(push, configs[push.config_id], outcomes[pk])
    Push.objects.bulk_update(
        pushes.values(), ["state", "reason", "in_doubt", "sent", "ended", "not_before", *FREE]
    )
    save_progress(configs.values())


def _record_outcome(push: Push, config: Config, outcome: Outcome) -> None:
    now = timezone.now()
    assign(push, FREE)
    push.reason, push.not_before = outcome.reason, now + PUSHES.pause(push.attempts)
    is_verified = is_verification(push)
    match outcome.state:
        case "applied":
            push.state, push.ended = Push.State.APPLIED, now
            mark_applied(config, push.snapshot_id)
        case "failed" if not is_verified or push.in_doubt:
            push.state, push.ended = Push.State.FAILED, now
            mark_failed(config, push.snapshot_id, outcome.reason)
        case "unknown":
            push.in_doubt = push.in_doubt or not is_verified
        case "woken":
            push.sent, push.not_before = None, now + AGENT_PAUSE
        case "absent" | "failed":
            # Also if the worker was lost and the device rolled back because nothing confirmed
            # the push.
            push.sent, push.in_doubt = None, False
            push.not_before = now if is_verified else push.not_before
        case _:
            # Nothing was done now; earlier doubt remains.
            push.sent = push.sent if is_verified else None
    if push.ended is None:
        push.state = Push.State.UNKNOWN if push.sent else Push.State.QUEUED


def is_verification(push: Push) -> bool:
    """Return whether this attempt verifies an earlier one that was sent."""
    return push.sent is not None and push.started is not None and push.sent < push.started


def mark_applied(config: Config, snapshot_id: int | None) -> None:
    """Record that the device has applied this snapshot, and reset errors and drift."""
    config.applied_id, config.applied_at = snapshot_id, timezone.now()
    config.failed_id, config.error_reason = None, ""
    config.drift, config.drift_reason, config.drifted_at = [], "", None
    config.drift_checked = config.applied_at


def mark_failed(config: Config, snapshot_id: int | None, reason: str) -> None:
    """Record that the device failed to apply this snapshot and kept the former one."""
    config.failed_id = snapshot_id
    config.error_reason = truncate_reason(reason or "The device gave no reason.")


def truncate_reason(reason: str) -> str:
    """Truncate a reason to the column's length and remove NUL bytes."""
    text = reason.replace("\x00", "")
    if len(text) <= REASON_LENGTH:
        return text
    return text[: REASON_LENGTH - len(TRUNCATED)] + TRUNCATED


def save_progress(configs: object) -> None:
    rows = list(configs)  # type: ignore[call-overload]
    Config.objects.bulk_update(
        rows,
        [
            "applied",
            "applied_at",
            "failed",
            "error_reason",
            "served",
            "drift",
            "drift_reason",
            "drifted_at",
            "drift_checked",
        ],
    )
    _note(rows)
    open_missing(row.pk for row in rows if row.desired_id != row.applied_id)
    publish_checksums(row.pk for row in rows if row.is_retired)
    publish_status(row.pk for row in rows)


def _note(rows: Sequence[Config]) -> None:
    """Record on the snapshots when devices acknowledged or refused them."""
    if applied := {row.applied_id for row in rows if row.applied_id}:
        Snapshot.objects.filter(pk__in=applied).update(
            acknowledged=Subquery(
                Config.objects.filter(applied=OuterRef("pk")).values("applied_at")[:1]
            )
        )
    if failed := {row.failed_id for row in rows if row.failed_id}:
        Snapshot.objects.filter(pk__in=failed, refused=None).update(refused=timezone.now())


def close_pushes(config: Config) -> None:
    """Close the open push once the agent has reported its result itself."""
    done = Push.State.APPLIED if config.applied_id == config.desired_id else Push.State.FAILED
    Push.objects.filter(config=config, state__in=Push.OPEN).exclude(
        state=Push.State.APPLYING
    ).update(state=done, ended=timezone.now(), reason="Reported by the device's agent.")
