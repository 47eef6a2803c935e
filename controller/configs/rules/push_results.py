"""What becomes of a push and of its configuration when the device has answered, or has not."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from controller.configs.drivers.contract import Outcome
from controller.configs.models import Config, Push, Snapshot
from controller.configs.rules.agent_cache import publish_checksums, publish_status
from controller.configs.rules.push_queue import enqueue

REASON_LENGTH = 1024
TRUNCATED = "\n[truncated]"
SHORTEST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=5)
# How long an agent that was woken may take to download, apply and report.
AGENT_PAUSE = timedelta(minutes=2)


@transaction.atomic
def record_outcomes(outcomes: Mapping[int, Outcome]) -> None:
    """Write the outcomes of pushes (by their id) and what follows for the configurations.

    Applied and failed end a push. A device that could not be reached, was busy or whose
    answer is unknown keeps it open: it is tried, or asked, again after a growing pause.
    """
    pushes = {
        push.pk: push
        for push in Push.objects.select_for_update(of=("self",)).filter(
            pk__in=outcomes, state=Push.State.APPLYING
        )
    }
    configs = {
        config.pk: config
        for config in Config.objects.select_for_update(of=("self",)).filter(
            pk__in={push.config_id for push in pushes.values()}
        )
    }
    for pk, push in pushes.items():
        _record_outcome(push, configs[push.config_id], outcomes[pk])
    Push.objects.bulk_update(
        pushes.values(),
        ["state", "reason", "in_doubt", "ended", "not_before", "leased_until"],
    )
    save_progress(configs.values())


def _record_outcome(push: Push, config: Config, outcome: Outcome) -> None:
    now = timezone.now()
    push.reason, push.leased_until = outcome.reason, None
    match outcome.state:
        case "applied":
            push.state, push.ended = Push.State.APPLIED, now
            mark_applied(config, push.snapshot_id)
        case "failed":
            push.state, push.ended = Push.State.FAILED, now
            mark_failed(config, push.snapshot_id, outcome.reason)
        case "unknown":
            push.in_doubt, push.not_before = True, now + SHORTEST_PAUSE
        case "woken":
            push.not_before = now + AGENT_PAUSE
        case "absent":
            push.in_doubt = False
        case _:
            push.not_before = now + retry_delay(push.attempts)
    if push.ended is None:
        push.state = Push.State.UNKNOWN if push.in_doubt else Push.State.QUEUED


def retry_delay(attempts: int) -> timedelta:
    """Until the next try: doubling from seconds to minutes."""
    return min(SHORTEST_PAUSE * (1 << min(attempts, 10)), LONGEST_PAUSE)


def mark_applied(config: Config, snapshot_id: int | None) -> None:
    """The device has this snapshot."""
    config.applied_id, config.applied_at = snapshot_id, timezone.now()
    config.failed_id, config.error_reason = None, ""
    config.drift, config.drift_reason, config.drifted_at = [], "", None
    config.drift_checked = config.applied_at


def mark_failed(config: Config, snapshot_id: int | None, reason: str) -> None:
    """The device could not apply this snapshot, and has what it had before."""
    config.failed_id = snapshot_id
    config.error_reason = truncate_reason(reason or "The device gave no reason.")


def truncate_reason(reason: str) -> str:
    """At most what the row holds; NUL bytes, which no database takes, left out."""
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
    behind: list[UUID] = [row.pk for row in rows if row.desired_id != row.applied_id]
    enqueue(behind)
    publish_checksums(row.pk for row in rows if row.is_retired)
    publish_status(row.pk for row in rows)


def _note(rows: Sequence[Config]) -> None:
    """Keep on the snapshots what the devices said of them."""
    if applied := {row.applied_id for row in rows if row.applied_id}:
        Snapshot.objects.filter(pk__in=applied).update(
            acknowledged=Subquery(
                Config.objects.filter(applied=OuterRef("pk")).values("applied_at")[:1]
            )
        )
    if failed := {row.failed_id for row in rows if row.failed_id}:
        Snapshot.objects.filter(pk__in=failed, refused=None).update(refused=timezone.now())


def close_pushes(config: Config) -> None:
    """The device has told by itself how it went, so nothing waits for it any more."""
    done = Push.State.APPLIED if config.applied_id == config.desired_id else Push.State.FAILED
    Push.objects.filter(config=config, state__in=Push.OPEN).exclude(
        state=Push.State.APPLYING
    ).update(state=done, ended=timezone.now(), reason="Reported by the device's agent.")
