"""Record the results of upgrade attempts, and of checks after the flash."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from controller.base.leases import LeaseHolder
from controller.configs.models import Config
from controller.configs.rules import push_queue
from controller.firmware.drivers.contract import Attempt, End
from controller.firmware.engine.judging import Judgment, Verdict
from controller.firmware.engine.options import parse
from controller.firmware.engine.reports import SystemReport
from controller.firmware.models import DeviceFirmware, Upgrade
from controller.firmware.rules.downloads import revoke
from controller.firmware.rules.post_upgrade_checks import watched_until
from controller.firmware.rules.system_facts import Reading, record_system
from controller.firmware.rules.upgrades import appended, publish_progress

State = Upgrade.State
# The first look after the flash: no device is back sooner.
FIRST_LOOK = timedelta(seconds=20)
# From when on a silent device is called unknown, is looked for less often, and is given up.
UNKNOWN_AFTER = timedelta(minutes=15)
SELDOM_AFTER = timedelta(days=1)
LOST_AFTER = timedelta(days=30)
SHORT, MEDIUM, LONG = timedelta(seconds=10), timedelta(minutes=5), timedelta(hours=1)
# Pauses of devices that are away before anything was sent: a minute, doubled up to 12 hours.
FIRST_PAUSE, LONGEST_PAUSE, MOST_DOUBLINGS = 60, 12 * 3600, 10
# How long a device that is not waited for may be away.
PATIENCE = timedelta(days=1)


@transaction.atomic
def record_attempt(holder: LeaseHolder[Upgrade], row: Upgrade, attempt: Attempt) -> None:
    """Record the progress of an attempt, unless another worker has taken over the row."""
    revoke(row)
    if attempt.report is not None:
        record_system(row.device_id, Reading(attempt.report))
    match attempt.end:
        case End.NOT_NEEDED:
            _confirm(holder, row, attempt.reason)
        case End.ABORTED:
            _end(holder, row, State.ABORTED, attempt.reason)
        case End.REFUSED:
            _end(holder, row, State.FAILED, attempt.reason)
        case End.ORDERED:
            _verify_later(holder, row, State.AWAY, attempt.reason, FIRST_LOOK)
        case End.RETRY:
            retry_later(holder, row, attempt.reason)
        case End.TAKEN_OVER:
            pass


def retry_later(holder: LeaseHolder[Upgrade], row: Upgrade, reason: str) -> None:
    """Requeue an upgrade that has written nothing, after a growing pause."""
    since = row.released or row.created
    if not row.is_persistent and timezone.now() - since > PATIENCE:
        reason = f"Given up after a day: {reason}"
        _end(holder, row, State.ABORTED, reason)
        return
    seconds = min(FIRST_PAUSE * 2 ** min(row.attempts - 1, MOST_DOUBLINGS), LONGEST_PAUSE)
    postpone(holder, row, timezone.now() + timedelta(seconds=seconds), reason)


def postpone(holder: LeaseHolder[Upgrade], row: Upgrade, at: Any, reason: str) -> None:
    if holder.retry(row, not_before=at, **_told(reason)):
        _tell(row)


@transaction.atomic
def record_judgment(
    holder: LeaseHolder[Upgrade], row: Upgrade, report: SystemReport, judgment: Judgment
) -> None:
    """Record the judgment of a device's report after the flash."""
    record_system(row.device_id, Reading(report))
    match judgment.verdict:
        case Verdict.CONFIRMED:
            _confirm(holder, row, judgment.reason)
        case Verdict.FAILED:
            _end(holder, row, State.FAILED, judgment.reason)
        case Verdict.NOT_YET:
            _verify_later(holder, row, State.AWAY, judgment.reason, SHORT)


@transaction.atomic
def record_silence(holder: LeaseHolder[Upgrade], row: Upgrade, reason: str) -> None:
    """Record that a device was unreachable after the flash command."""
    passed = row.since_flash
    if passed > LOST_AFTER:
        text = f"The device was not seen for {LOST_AFTER.days} days after the flash: {reason}"
        _end(holder, row, State.FAILED, text)
        return
    if passed <= UNKNOWN_AFTER:
        _verify_later(holder, row, State.AWAY, reason, SHORT)
        return
    pause = MEDIUM if passed <= SELDOM_AFTER else LONG
    text = f"It is not known whether the image was written: {reason}"
    _verify_later(holder, row, State.UNKNOWN, text, pause)


def _verify_later(
    holder: LeaseHolder[Upgrade], row: Upgrade, state: State, reason: str, pause: timedelta
) -> None:
    changes = {"state": state, "not_before": timezone.now() + pause}
    if holder.verify_later(row, **changes, **_told(reason, is_new=reason != row.reason)):
        _tell(row)


def _end(
    holder: LeaseHolder[Upgrade], row: Upgrade, state: State, reason: str, **values: Any
) -> bool:
    is_mine = holder.end(row, state=state, ended=timezone.now(), **_told(reason), **values)
    if is_mine:
        _tell(row)
    return is_mine


def _confirm(holder: LeaseHolder[Upgrade], row: Upgrade, reason: str) -> None:
    if not _end(holder, row, State.CONFIRMED, reason, watched_until=watched_until(row)):
        return
    now = timezone.now()
    if row.image_id:
        DeviceFirmware.objects.update_or_create(
            device_id=row.device_id,
            defaults={"image_id": row.image_id, "installed": True, "proved": now},
        )
    if row.sent and parse(row.options).resets:
        _configure_again(row)


def _configure_again(row: Upgrade) -> None:
    """Push the configuration to a device whose settings were reset."""
    configs = Config.objects.filter(device=row.device_id, is_retired=False)
    configs.update(applied=None, served=None)
    push_queue.enqueue(configs.values_list("pk", flat=True))


def _told(reason: str, *, is_new: bool = True) -> dict[str, Any]:
    values: dict[str, Any] = {"reason": reason, "modified": timezone.now()}
    return values | {"log": appended(reason)} if is_new else values


def _tell(row: Upgrade) -> None:
    # The log was appended by an expression.
    row.refresh_from_db(fields=["log"])
    publish_progress(row)
