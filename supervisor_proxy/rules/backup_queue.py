"""Make backups on devices by their plans, and fetch them.

Each state stands on a row. A device whose worker was lost while it made a backup is asked for
that backup, by its name, before another one is made.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.base.events import event_for, publish
from controller.base.leases import LeaseHolder
from supervisor_proxy.models import BACKUPS, BackupPlan, StoredBackup, SupervisorCall
from supervisor_proxy.rules.backup_calls import backup_call, user_of_plan
from supervisor_proxy.rules.backup_pruning import prune
from supervisor_proxy.rules.backups import PART, devices_of, path_of
from supervisor_proxy.rules.call_execution import execute_all
from supervisor_proxy.rules.call_requests import CallJob
from supervisor_proxy.rules.campaigns import data, is_at_work, is_good, why
from supervisor_proxy.rules.streamed_transfers import backup_of, download

State = StoredBackup.State
STEP_SECONDS = 3 * 3600.0
TRY_AGAIN = timedelta(hours=1)
# A device that tells nothing of its jobs may be at it for so long.
LONGEST_WORK = timedelta(hours=1)
GIVE_UP = timedelta(days=1)
MOST = 50
NOT_FOUND_OUT = "The device did not say within a day whether it was made."


def run_due() -> int:
    """Make and fetch what is due. Returns the number of backups that were fetched."""
    BACKUPS.put_back()
    verify_lost()
    plan_due()
    make()
    done = 0
    holder = LeaseHolder(BACKUPS)
    while rows := holder.lease(1, in_state(State.MADE)):
        done += fetch(holder, rows[0])
    return done


def in_state(state: str) -> QuerySet[StoredBackup]:
    rows: QuerySet[StoredBackup] = StoredBackup.objects.filter(state=state).select_related(
        "plan__user", "supervisor__device"
    )
    return rows


def plan_due() -> None:
    now = timezone.now()
    for plan in (
        BackupPlan.objects.filter(enabled=True).exclude(user=None).select_related("group")
    ):
        recent = StoredBackup.objects.filter(
            Q(state__in=(State.WAITING, State.MADE))
            | Q(plan=plan, state=State.STORED, created__gt=now - timedelta(hours=plan.hours))
            | Q(plan=plan, state=State.FAILED, created__gt=now - TRY_AGAIN)
        )
        have = set(recent.values_list("supervisor_id", flat=True))
        for row in devices_of(plan):
            if row.pk not in have:
                # Another worker may just have had the same thought.
                with suppress(IntegrityError), transaction.atomic():
                    StoredBackup.objects.create(
                        plan=plan, supervisor=row, password=plan.password
                    )


def make() -> None:
    """Make the backups that wait for it, side by side; one whose device is busy waits on."""
    holder = LeaseHolder(BACKUPS)
    rows = holder.lease(MOST, in_state(State.WAITING))
    jobs = ask(holder, rows, "POST", "/backups/new/full", marks=True, body=lambda row: {
        "name": row.device_name, "password": row.password,
    })  # fmt: skip
    for row, job in zip(rows, jobs, strict=True):
        if slug := str(data(job).get("slug", ""))[:64]:
            made(holder, row, slug)
        elif job.is_late or (job.refusal is not None and job.refusal.code == "busy"):
            holder.retry(row)
        elif job.call.state == SupervisorCall.State.UNKNOWN:
            holder.verify_later(row)
        else:
            fail(holder, row, f"It was not made: {why(job)}")


def ask(
    holder: LeaseHolder[StoredBackup],
    rows: Sequence[StoredBackup],
    method: str,
    path: str,
    *,
    marks: bool = False,
    body: Any = None,
) -> list[CallJob]:
    """Make the same call on the devices of these backups. ``marks`` notes that it was sent."""
    jobs = []
    for row in rows:
        job = backup_call(row, method, path, body(row) if body else None)
        job.on_send = partial(holder.mark_sent, row.pk) if marks else None
        jobs.append(job)
    execute_all(
        [job for job in jobs if job.is_ready],
        seconds=STEP_SECONDS, renew=holder.renew, hands_over=False,
    )  # fmt: skip
    return jobs


def made(holder: LeaseHolder[StoredBackup], row: StoredBackup, slug: str) -> None:
    holder.end(
        row, state=State.MADE, slug=slug, is_on_device=True, sent=None,
        not_before=timezone.now(),
    )  # fmt: skip


def verify_lost() -> None:
    """Ask devices for backups that they may have made while nobody waited for the answer."""
    holder = LeaseHolder(BACKUPS)
    rows = holder.adopt(MOST, in_state(State.WAITING))
    lists = ask(holder, rows, "GET", "/backups")
    works = ask(holder, rows, "GET", "/jobs/info")
    for row, there, work in zip(rows, lists, works, strict=True):
        slug = slug_of(row, data(there))
        age = timezone.now() - (row.sent or row.created)
        may_go_on = is_at_work(work) or (not is_good(work) and age < LONGEST_WORK)
        if slug:
            made(holder, row, slug)
        elif age > GIVE_UP:
            fail(holder, row, NOT_FOUND_OUT)
        elif may_go_on or not is_good(there):
            holder.verify_later(row)
        else:
            holder.retry(row)


def slug_of(row: StoredBackup, told: Mapping[str, Any]) -> str:
    listed = told.get("backups") or told.get("snapshots") or []
    known = [one for one in listed if isinstance(one, dict)]
    slugs = (one.get("slug") for one in known if one.get("name") == row.device_name)
    return str(next(slugs, "") or "")[:64]


def fetch(holder: LeaseHolder[StoredBackup], row: StoredBackup) -> bool:
    """Bring a backup here, part by part, and only then let go of older ones."""
    path = path_of(row)
    part = path.with_suffix(f".{holder.id.hex}{PART}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        size, digest = _written_to(part, row, holder)
        part.replace(path)
    except (Refused, OSError) as error:
        part.unlink(missing_ok=True)
        fail(holder, row, f"It was not fetched: {error}")
        return False
    stored = holder.end(
        row, state=State.STORED, fetched=timezone.now(), size=size, sha256=digest
    )
    if stored:
        prune(row)
    return stored


def _written_to(
    part: Path, row: StoredBackup, holder: LeaseHolder[StoredBackup]
) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    stream = download(user_of_plan(row), row.supervisor, backup_of(row.slug))
    with part.open("wb") as file:
        part.chmod(0o600)
        for one in stream.parts:
            holder.renew_if_due()
            file.write(one)
            digest.update(one)
            size += len(one)
    if stream.size and int(stream.size) != size:
        raise Refused(
            gettext("%(size)s of %(size_2)s bytes came.")
            % {"size": size, "size_2": stream.size}
        )
    return size, digest.hexdigest()


def fail(holder: LeaseHolder[StoredBackup], row: StoredBackup, reason: str) -> None:
    if not holder.end(row, state=State.FAILED, reason=reason[:1000]):
        return
    device = row.supervisor.device
    publish(
        event_for(
            row.supervisor, "home.alert", "supervisor:read", device=str(device.pk),
            name=device.name, trouble="backup", about="backup", text=row.reason, state="open",
        )
    )  # fmt: skip
