"""Backups of gateways: policies, requests, deletion, and which can be restored."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.accounts.rules.audit import record_audit
from controller.base.errors import Conflict, NotFound, Refused
from controller.celery import enqueue_on_commit
from networks.gateways.engine.backups import BackupFile
from networks.gateways.engine.features.restores import RESTORES
from networks.gateways.models import (
    Change,
    ChangeSet,
    Gateway,
    GatewayBackup,
    GatewayBackupPolicy,
    StoredConfiguration,
)

TAKE = "networks.tasks.back_up_gateways"
State, Reason = GatewayBackup.State, GatewayBackup.Reason


# --- policies


def create_policy(**values: Any) -> GatewayBackupPolicy:
    row = GatewayBackupPolicy(**values)
    row.checked().save(force_insert=True)
    return row


def update_policy(row: GatewayBackupPolicy, /, **values: Any) -> GatewayBackupPolicy:
    if values.pop("organization", row.organization) != row.organization:
        raise Refused({"organization": [gettext("A policy stays in its organization.")]})
    for name, value in values.items():
        setattr(row, name, value)
    row.checked().save()
    return row


def delete_policy(row: GatewayBackupPolicy) -> None:
    row.delete()


def policies_of(gateways: Iterable[Gateway]) -> dict[UUID, GatewayBackupPolicy]:
    """Return the policy of each gateway: its own, its organization's, or the default."""
    rows = list(gateways)
    own = {
        (one.organization_id, one.gateway_id): one
        for one in GatewayBackupPolicy.objects.filter(
            organization__in={row.organization_id for row in rows}
        )
    }
    default = GatewayBackupPolicy(hours=settings.MUSTER_GATEWAY_BACKUP_HOURS)
    return {
        row.pk: own.get((row.organization_id, row.pk))
        or own.get((row.organization_id, None))
        or default
        for row in rows
    }


def policy_of(gateway: Gateway) -> GatewayBackupPolicy:
    return policies_of([gateway])[gateway.pk]


# --- requests


def request_backup(
    gateway: Gateway, *, by: User | None, change_set: ChangeSet | None = None
) -> GatewayBackup:
    """Ask for a backup, which a worker takes. One that waits already is returned."""
    reason = Reason.CHANGES if change_set else Reason.DEMAND
    row = gateway.backups.filter(state=State.WAITING).first()
    if row is None:
        try:
            with transaction.atomic():
                row = GatewayBackup.objects.create(
                    gateway=gateway, reason=reason, author=by, change_set=change_set
                )
                if by is not None:
                    record_audit("gateway.backup", gateway, by=by)
        except IntegrityError as error:
            raise Conflict(gettext("Somebody else has asked for a backup just now.")) from error
    elif change_set is not None and row.change_set_id is None:
        GatewayBackup.objects.filter(pk=row.pk).update(change_set=change_set, reason=reason)
        row.change_set, row.reason = change_set, reason
    enqueue_on_commit(TAKE)
    return row


def delete_backup(row: GatewayBackup, *, by: User | None) -> None:
    """Delete a backup; its contents go with the last backup that has them."""
    if row.state == State.WAITING:
        raise Conflict(gettext("It is being taken: wait until it is stored or has failed."))
    with transaction.atomic():
        record_audit("gateway.backup_deleted", row, by=by)
        forget([row])


def forget(rows: Iterable[GatewayBackup]) -> int:
    """Delete backups, and contents that no backup has any more. Returns their number."""
    gone = list(rows)
    contents = {one.configuration_id for one in gone if one.configuration_id}
    GatewayBackup.objects.filter(pk__in=[one.pk for one in gone]).delete()
    # Without reading the deleted rows.
    unused = StoredConfiguration.objects.filter(pk__in=contents, backups=None)
    unused.only("pk").delete()
    return len(gone)


# --- contents


def file_of(row: GatewayBackup) -> BackupFile:
    """Return the stored file. Raises NotFound if nothing is stored."""
    if row.configuration is None:
        raise NotFound(gettext("Nothing is stored of this backup."))
    return row.configuration.file


def restorable(gateway: Gateway, payload: Mapping[str, Any]) -> GatewayBackup:
    """Return the backup that a restore names; raise Refused if it is none of this gateway."""
    rows = gateway.backups.filter(state=State.STORED, pk=str(payload.get("backup", "")))
    row: GatewayBackup | None = rows.select_related("configuration").first()
    if row is None:
        raise Refused(
            {
                "payload.backup": [
                    gettext("The gateway has no stored backup of this id (any more).")
                ]
            }
        )
    return row


def file_to_restore(change: Change) -> BackupFile:
    return file_of(restorable(change.gateway, change.payload))


def can_be_restored(row: GatewayBackup) -> bool:
    return row.state == State.STORED and row.gateway.vendor in RESTORES


# --- before change sets


def may_change(row: ChangeSet, gateway: Gateway) -> bool:
    """Return whether a set may continue with a gateway: its backup is done or not required.

    Raises Refused if the policy requires a backup and none exists.
    """
    policy = policy_of(gateway)
    how = GatewayBackupPolicy.BeforeChanges
    if policy.before_changes == how.NEVER:
        return True
    taken = row.backups.filter(gateway=gateway).first()
    if taken is None:
        request_backup(gateway, by=None, change_set=row)
        return False
    if taken.state == State.FAILED and policy.before_changes == how.MUST:
        raise Refused(
            gettext("The backup of %(gateway)s before the changes failed: %(outcome)s")
            % {"gateway": gateway, "outcome": taken.outcome}
        )
    return bool(taken.state != State.WAITING)
