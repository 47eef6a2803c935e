"""Backups by a plan: made on each device, fetched, kept here for as long as the plan says.

Each state stands on a row, so that a worker that died is followed by another where it was.
"""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from controller.accounts.models import User
from controller.accounts.rules.audit import record_audit
from controller.base.errors import Conflict, NotFound, NotPermitted, Refused
from controller.base.events import event_for, publish
from controller.celery import enqueue_on_commit
from supervisor_proxy.models import BackupPlan, StoredBackup, Supervisor
from supervisor_proxy.rules.call_execution import execute_all
from supervisor_proxy.rules.call_requests import CallJob, match_route, start
from supervisor_proxy.rules.campaigns import data, is_good, why
from supervisor_proxy.rules.streaming import backup_of, download, upload

RUN = "supervisor_proxy.tasks.run_backups"
State = StoredBackup.State
HASSIO = Supervisor.Flavor.HASSIO
STEP_SECONDS = 3 * 3600.0
LEASE = timedelta(hours=4)
TRY_AGAIN = timedelta(hours=1)
MOST = 50
BLOCK = 256 * 1024


# --- plans


def add_plan(user: User, **values: Any) -> BackupPlan:
    plan = BackupPlan(user=user, **values)
    return _written(user, plan)


def update_plan(plan: BackupPlan, *, user: User, **values: Any) -> BackupPlan:
    """Whoever changes it is who its backups are made for from now on."""
    if values.pop("organization", plan.organization) != plan.organization:
        raise Refused({"organization": ["A plan stays with its organization."]})
    for name, value in values.items():
        setattr(plan, name, value)
    plan.user = user
    return _written(user, plan)


def _written(user: User, plan: BackupPlan) -> BackupPlan:
    if plan.group is not None and plan.group.owner_id != plan.organization_id:
        raise Refused({"group": ["The group is of another organization."]})
    for verb in ("backup", "download", "manage"):
        if not user.has_perm_in(f"supervisor:{verb}", plan.organization_id):
            raise NotPermitted(f"It needs supervisor:{verb} in all of the organization.")
    plan.checked().save()
    enqueue_on_commit(RUN)
    return plan


def remove_plan(plan: BackupPlan) -> None:
    """Its backups stay, as long as their devices do."""
    plan.delete()


def devices_of(plan: BackupPlan) -> list[Supervisor]:
    rows = Supervisor.objects.filter(
        flavor=HASSIO, device__organization=plan.organization, device__is_deactivated=False
    )
    if plan.group is not None:
        rows = rows.filter(device__group=plan.group)
    return list(rows.select_related("device__organization"))


# --- what a worker does


def run_due() -> int:
    """Make and fetch what is due; how many were fetched."""
    plan_due()
    make()
    done = 0
    while (row := take()) is not None:
        fetch(row)
        done += 1
    return done


def plan_due() -> None:
    now = timezone.now()
    for plan in (
        BackupPlan.objects.filter(enabled=True).exclude(user=None).select_related("group")
    ):
        recent = StoredBackup.objects.filter(
            Q(state__in=(State.WAITING, State.MADE))
            | Q(state=State.STORED, created__gt=now - timedelta(hours=plan.hours))
            | Q(state=State.FAILED, created__gt=now - TRY_AGAIN)
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
    """Have those made that wait for it, side by side; one that is busy waits on."""
    rows = _taken(State.WAITING, MOST)
    jobs = [(row, _asked(row, "POST", "/backups/new/full", {
        "name": f"Muster {row.created:%Y-%m-%d}", "password": row.password,
    })) for row in rows]  # fmt: skip
    execute_all([job for _, job in jobs if job.is_ready], seconds=STEP_SECONDS)
    for row, job in jobs:
        row.leased_until = None
        row.slug = str(data(job).get("slug", ""))[:64]
        if row.slug:
            row.state, row.is_on_device = State.MADE, True
        elif not (job.refusal is not None and job.refusal.code == "busy"):
            _fail(row, f"It was not made: {why(job)}")
        row.save()


@transaction.atomic
def _taken(state: str, most: int) -> list[StoredBackup]:
    now = timezone.now()
    rows: list[StoredBackup] = list(
        StoredBackup.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(Q(leased_until=None) | Q(leased_until__lt=now), state=state)
        .exclude(plan=None)
        .exclude(plan__user=None)
        .order_by("created")[:most]
    )
    for row in rows:
        row.leased_until = now + LEASE
        row.save(update_fields=["leased_until"])
    return rows


def take() -> StoredBackup | None:
    rows = _taken(State.MADE, 1)
    return rows[0] if rows else None


def _user(row: StoredBackup) -> User:
    if row.plan is None or row.plan.user is None:
        raise Refused("Who made the plan is gone.")
    return row.plan.user


def _asked(row: StoredBackup, method: str, path: str, body: Any = None) -> CallJob:
    return start(
        _user(row), row.supervisor, match_route(HASSIO, method=method, path=path, data=body)
    )


def fetch(row: StoredBackup) -> None:
    """Bring it here, part by part, and only then let go of older ones."""
    path = path_of(row)
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        row.size, row.sha256 = _written_to(part, row)
        part.replace(path)
    except (Refused, OSError) as error:
        part.unlink(missing_ok=True)
        _fail(row, f"It was not fetched: {error}")
        row.save()
        return
    row.state = State.STORED
    row.fetched, row.leased_until = timezone.now(), None
    row.save()
    prune(row)


def _written_to(part: Path, row: StoredBackup) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    stream = download(_user(row), row.supervisor, backup_of(row.slug))
    with part.open("wb") as file:
        part.chmod(0o600)
        for one in stream.parts:
            file.write(one)
            digest.update(one)
            size += len(one)
    if stream.size and int(stream.size) != size:
        raise Refused(f"{size} of {stream.size} bytes came.")
    return size, digest.hexdigest()


def _fail(row: StoredBackup, reason: str) -> None:
    row.state, row.reason, row.leased_until = State.FAILED, reason[:1000], None
    device = row.supervisor.device
    publish(
        event_for(
            row.supervisor, "home.alert", "supervisor:read", device=str(device.pk),
            name=device.name, trouble="backup", about="backup", text=row.reason, state="open",
        )
    )  # fmt: skip


def prune(row: StoredBackup) -> None:
    """Drop what is more than the plan keeps: here, and on the device."""
    if row.plan is None:
        return
    rows = list(StoredBackup.objects.filter(
        plan=row.plan, supervisor=row.supervisor, state=State.STORED
    ).order_by("-created"))  # fmt: skip
    for old in [one for one in rows if one.is_on_device][row.plan.keep_on_device :]:
        job = _asked(old, "DELETE", f"/backups/{old.slug}")
        if job.is_ready:
            execute_all([job])
        # One that somebody has removed there already is gone as well.
        if is_good(job) or job.answer is not None:
            StoredBackup.objects.filter(pk=old.pk).update(is_on_device=False)
    for old in rows[row.plan.keep :]:
        remove(old)


def remove(row: StoredBackup) -> None:
    path_of(row).unlink(missing_ok=True)
    row.delete()


def delete_stored(row: StoredBackup) -> None:
    """Drop one that is over; its copy on the device stays."""
    if row.state in {State.WAITING, State.MADE}:
        raise Conflict("It is being made: wait until it is stored or has failed.")
    record_audit("backup.deleted", row)
    remove(row)


# --- what is kept


def path_of(row: StoredBackup) -> Path:
    return Path(settings.MUSTER_BACKUP_DIR) / row.file_name


def opened(row: StoredBackup) -> Iterator[bytes]:
    """Its parts. NotFound if it is not here."""
    path = path_of(row)
    if row.state != State.STORED or not path.is_file():
        raise NotFound("This backup is not stored here.")

    def parts() -> Iterator[bytes]:
        with path.open("rb") as file:
            while part := file.read(BLOCK):
                yield part

    return parts()


def send_back(user: User, row: StoredBackup) -> CallJob:
    """Bring a kept backup to its device again, to be restored there."""
    return upload(user, row.supervisor, opened(row), size=row.size)


def sweep() -> int:
    """Files whose rows are gone, as those of removed devices; how many were dropped."""
    folder, gone = Path(settings.MUSTER_BACKUP_DIR), 0
    for file in folder.glob("*/*.tar"):
        if not StoredBackup.objects.filter(pk=file.stem).exists():
            file.unlink()
            gone += 1
    return gone
