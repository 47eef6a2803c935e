"""Factories of waiting rows, and values of ended rows, of each lease queue."""

from collections.abc import Callable
from itertools import count
from typing import Any

from django.utils import timezone

from controller.accounts.models import TableImport
from controller.base.leases import Leased
from controller.configs.models import Config, DeviceBatch, DeviceBatchRow, Push
from controller.connections.models import Command
from controller.discovery.models import Scan
from controller.firmware.models import Upgrade
from controller.notifications.models import Delivery, Notice, Notification, Webhook
from networks.gateways.models import Change, Gateway, GatewayBackup
from supervisor_proxy.models import (
    BackupPlan,
    StoredBackup,
    Supervisor,
    SupervisorCall,
    UpdateCampaign,
)
from tests import factories

numbers = count(1)


def notice() -> Notice:
    number = next(numbers)
    return Notice.objects.create(
        organization=factories.organization(f"leases {number}"), kind="config_error", family="config",
        permission="device:read", object_type="device", object_id=str(number),
        object_name="ap", text="It failed",
    )  # fmt: skip


def delivery() -> Delivery:
    told = notice()
    hook = Webhook.objects.create(
        organization=told.organization, name="hook", url="https://hooks.example.org/"
    )
    return Delivery.objects.create(webhook=hook, notice=told)


def email() -> Notification:
    user = factories.user()
    return Notification.objects.create(notice=notice(), recipient=user, wants_email=True)


def push() -> Push:
    device = factories.device(factories.organization())
    return Push.objects.create(config=Config.objects.create(device=device))


def supervisor_call() -> SupervisorCall:
    device = factories.device(factories.organization())
    row = Supervisor.objects.create(device=device)
    return SupervisorCall.objects.create(
        supervisor=row, method="POST", path="/v1/restart", state="queued",
        wish={"name": "restart", "path": "/v1/restart", "query": {}, "data": {"appId": 1}},
    )  # fmt: skip


def stored_backup() -> StoredBackup:
    organization = factories.organization()
    plan = BackupPlan.objects.create(
        organization=organization, name="nightly", user=factories.superuser()
    )
    row = Supervisor.objects.create(device=factories.device(organization), flavor="hassio")
    return StoredBackup.objects.create(plan=plan, supervisor=row)


def campaign() -> UpdateCampaign:
    return UpdateCampaign.objects.create(organization=factories.organization(), name="August")


def command() -> Command:
    device = factories.device(factories.organization())
    return Command.objects.create(device=device, type="reboot")


def scan() -> Scan:
    return Scan.objects.create(
        organization=factories.organization(), targets=["10.0.0.1"], methods=["tcp"], ports=[22],
        total=1,
    )  # fmt: skip


def bulk_row() -> DeviceBatchRow:
    batch = DeviceBatch.objects.create(
        kind=DeviceBatch.Kind.DEACTIVATE, state=DeviceBatch.State.RUNNING, title="Deactivate"
    )
    return DeviceBatchRow.objects.create(batch=batch, name="ap-1")


def gateway_change() -> Change:
    gateway = Gateway.objects.create(
        organization=factories.organization(), name="edge", vendor="opnsense",
        url="https://192.0.2.1",
    )  # fmt: skip
    return Change.objects.create(
        gateway=gateway, feature="opnsense.routing.static_route", operation="create",
        state="scheduled", not_before=timezone.now(),
    )  # fmt: skip


def gateway_backup() -> GatewayBackup:
    gateway = Gateway.objects.create(
        organization=factories.organization(), name="edge", vendor="opnsense",
        url="https://192.0.2.1",
    )  # fmt: skip
    return GatewayBackup.objects.create(gateway=gateway)


def upgrade() -> Upgrade:
    return Upgrade.objects.create(
        device=factories.device(factories.organization()), image_name="sysupgrade.bin",
        sha256="0" * 64, size=1,
    )  # fmt: skip


def table_import() -> TableImport:
    return TableImport.objects.create(
        user=factories.user(), target="devices.device", name="a.csv", data=b"name\nx\n"
    )


NEW: dict[str, Callable[[], Leased]] = {
    "imports": table_import,
    "upgrades": upgrade,
    "gateway_changes": gateway_change,
    "gateway_backups": gateway_backup,
    "bulk_rows": bulk_row,
    "scans": scan,
    "commands": command,
    "deliveries": delivery,
    "emails": email,
    "pushes": push,
    "supervisor_calls": supervisor_call,
    "backups": stored_backup,
    "campaigns": campaign,
}
ENDINGS: dict[str, dict[str, Any]] = {
    "imports": {"state": TableImport.State.DONE},
    "upgrades": {"state": Upgrade.State.CONFIRMED},
    "gateway_changes": {"state": Change.State.APPLIED},
    "gateway_backups": {"state": GatewayBackup.State.FAILED},
    "bulk_rows": {"state": DeviceBatchRow.State.DONE},
    "scans": {"state": Scan.State.COMPLETED},
    "commands": {"status": Command.Status.SUCCESS},
    "deliveries": {"state": Delivery.State.DONE},
    "emails": {"emailed": True},
    "pushes": {"state": Push.State.APPLIED},
    "backups": {"state": StoredBackup.State.STORED},
    "campaigns": {"state": UpdateCampaign.State.DONE},
    "supervisor_calls": {"state": SupervisorCall.State.SUCCEEDED},
}


def new_row(name: str) -> Leased:
    return NEW[name]()
