"""Add-on agents: authentication and presence."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.errors import NotAuthenticated, NotPermitted
from supervisor_proxy.models import Supervisor
from supervisor_proxy.rules.presence import record_presence
from supervisor_proxy.rules.supervisors import device_of_key

NOTED_EVERY = timedelta(minutes=1)
OTHER_WAY = (
    "The portal reaches this device by another way. Choose the add-on as its way, or remove its "
    "supervisor here."
)


@transaction.atomic
def enter(key: str) -> Supervisor:
    """Authenticate an add-on by its device's key. The first login adds the supervisor.

    Returns the supervisor. Raises NotAuthenticated or NotPermitted.
    """
    device = device_of_key(key)
    if device.is_deactivated:
        raise NotPermitted(gettext("The device is deactivated."), code="out_of_service")
    row: Supervisor | None = (
        Supervisor.objects.select_for_update(of=("self",)).filter(device=device).first()
    )
    if row is None:
        row = Supervisor(device=device, flavor=Supervisor.Flavor.HASSIO)
        row.transport = Supervisor.Transport.AGENT
    elif row.transport != Supervisor.Transport.AGENT:
        raise NotPermitted(OTHER_WAY, code="other_way")
    row.last_report = timezone.now()
    row.checked().save()
    record_presence(device)
    return row


def may_stay(key: str, number: int) -> bool:
    """Return whether the key is still valid for this supervisor; updates its presence."""
    now = timezone.now()
    try:
        device = device_of_key(key)
    except NotAuthenticated:
        return False
    rows = Supervisor.objects.filter(
        pk=number, transport=Supervisor.Transport.AGENT, device=device
    )
    if rows.filter(last_report__lt=now - NOTED_EVERY).update(last_report=now):
        record_presence(device)
    return not device.is_deactivated and rows.exists()
