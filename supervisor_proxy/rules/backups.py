"""Scheduled backups: made on each device, fetched, stored, and pruned by the plan.

The state of each backup is stored on its row, so another worker can continue after a crash.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.accounts.rules.audit import record_audit
from controller.base.errors import Conflict, NotFound, NotPermitted, Refused
from controller.celery import enqueue_on_commit
from supervisor_proxy.models import BACKUPS, BackupPlan, StoredBackup, Supervisor
from supervisor_proxy.rules.call_requests import CallJob
from supervisor_proxy.rules.streamed_transfers import upload

RUN = "supervisor_proxy.tasks.run_backups"
State = StoredBackup.State
HASSIO = Supervisor.Flavor.HASSIO
STEP_SECONDS = 3 * 3600.0
LEASE = timedelta(hours=4)
TRY_AGAIN = timedelta(hours=1)
MOST = 50
BLOCK = 256 * 1024
PART = ".part"


# --- plans


def add_plan(user: User, **values: Any) -> BackupPlan:
    plan = BackupPlan(user=user, **values)
    return _written(user, plan)


def update_plan(plan: BackupPlan, *, user: User, **values: Any) -> BackupPlan:
    """Change a plan. Its backups are made on behalf of `user` from now on."""
    if values.pop("organization", plan.organization) != plan.organization:
        raise Refused({"organization": [gettext("A plan stays with its organization.")]})
    for name, value in values.items():
        setattr(plan, name, value)
    plan.user = user
    return _written(user, plan)


def _written(user: User, plan: BackupPlan) -> BackupPlan:
    if plan.group is not None and plan.group.owner_id != plan.organization_id:
        raise Refused({"group": [gettext("The group is of another organization.")]})
    for verb in ("backup", "download", "manage"):
        if not user.has_perm_in(f"supervisor:{verb}", plan.organization_id):
            raise NotPermitted(
                gettext("It needs supervisor:%(verb)s in all of the organization.")
                % {"verb": verb}
            )
    plan.checked().save()
    enqueue_on_commit(RUN)
    return plan


def remove_plan(plan: BackupPlan) -> None:
    """Delete a plan. Its backups are kept as long as their devices."""
    plan.delete()


def devices_of(plan: BackupPlan) -> list[Supervisor]:
    rows = Supervisor.objects.filter(
        flavor=HASSIO, device__organization=plan.organization, device__is_deactivated=False
    )
    if plan.group is not None:
        rows = rows.filter(device__group=plan.group)
    return list(rows.select_related("device__organization"))


# --- storage


def remove(row: StoredBackup) -> None:
    path_of(row).unlink(missing_ok=True)
    row.delete()


def delete_stored(row: StoredBackup) -> None:
    """Delete a finished backup here; its copy on the device is kept. Raises Conflict."""
    if row.state in {State.WAITING, State.MADE}:
        raise Conflict(gettext("It is being made: wait until it is stored or has failed."))
    record_audit("backup.deleted", row)
    remove(row)


def path_of(row: StoredBackup) -> Path:
    return Path(settings.MUSTER_BACKUP_DIR) / row.file_name


def opened(row: StoredBackup) -> Iterator[bytes]:
    """Return the file's parts. Raises NotFound if it is not stored."""
    path = path_of(row)
    if row.state != State.STORED or not path.is_file():
        raise NotFound(gettext("This backup is not stored here."))

    def parts() -> Iterator[bytes]:
        with path.open("rb") as file:
            while part := file.read(BLOCK):
                yield part

    return parts()


def send_back(user: User, row: StoredBackup) -> CallJob:
    """Upload a stored backup to its device, to be restored there."""
    return upload(user, row.supervisor, opened(row), size=row.size)


def sweep() -> int:
    """Delete files without a row, and parts that no worker fetches. Returns their number."""
    folder, gone = Path(settings.MUSTER_BACKUP_DIR), 0
    held = BACKUPS.rows.filter(lease_holder__isnull=False)
    fetching = {holder.hex for holder in held.values_list("lease_holder", flat=True) if holder}
    for file in folder.glob("*/*"):
        is_part = file.suffix == PART
        name = file.name.split(".")[0]
        is_kept = (
            file.stem.rpartition(".")[2] in fetching
            if is_part
            else StoredBackup.objects.filter(pk=name).exists()
        )
        if (is_part or file.suffix == ".tar") and not is_kept:
            file.unlink()
            gone += 1
    return gone
