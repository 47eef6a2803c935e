"""Removal of the backups that exceed a plan's limits, on the portal and on the device."""

from supervisor_proxy.models import StoredBackup
from supervisor_proxy.rules.backup_calls import backup_call
from supervisor_proxy.rules.backups import remove
from supervisor_proxy.rules.call_execution import execute_all
from supervisor_proxy.rules.campaigns import is_good


def prune(row: StoredBackup) -> None:
    """Delete the backups beyond the number that the plan keeps, here and on the device."""
    if row.plan is None:
        return
    rows = list(StoredBackup.objects.filter(
        plan=row.plan, supervisor=row.supervisor, state=StoredBackup.State.STORED
    ).order_by("-created"))  # fmt: skip
    for old in [one for one in rows if one.is_on_device][row.plan.keep_on_device :]:
        job = backup_call(old, "DELETE", f"/backups/{old.slug}")
        if job.is_ready:
            execute_all([job])
        # The device's owner may have removed the backup there.
        if is_good(job) or job.answer is not None:
            StoredBackup.objects.filter(pk=old.pk).update(is_on_device=False)
    for old in rows[row.plan.keep :]:
        remove(old)
