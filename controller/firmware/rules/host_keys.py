"""Host keys of devices that an upgrade has reset."""

from django.db import transaction
from django.utils.translation import gettext

from controller.accounts.rules.audit import record_audit
from controller.base.errors import Conflict
from controller.connections.models import DeviceConnection
from controller.firmware.engine.options import parse
from controller.firmware.models import (
    Upgrade,
)
from controller.firmware.rules.upgrades import ask_now


@transaction.atomic
def accept_host_key(row: Upgrade) -> None:
    """Forget the stored host key of a device that the upgrade reset, and check it at once."""
    if row.sent is None or not row.is_open or not parse(row.options).resets:
        raise Conflict(
            gettext("Only a device that was reset by this upgrade shows a new host key.")
        )
    DeviceConnection.objects.filter(device=row.device_id).update(host_key="")
    record_audit("firmware.accept_host_key", row.device)
    ask_now(row)
