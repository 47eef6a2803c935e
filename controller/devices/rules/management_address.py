"""Management addresses that agents report, and the approval of devices."""

from django.conf import settings
from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.base.outbound.addresses import parsed, policy
from controller.devices.models import (
    Device,
)
from controller.devices.rules.organization_settings import settings_of

CLAIMS = "MUSTER_MANAGEMENT_NETWORKS"


class ClaimRefused(Refused):
    """A device claims an address in a network that its organization does not allow."""


def claim_management_ip(device: Device, address: str | None) -> None:
    """Store the management IP reported by the agent (None clears it).

    The same IP is cleared on other devices of the organization. Manual addresses are not
    cleared.
    """
    if address is None and not device.management_ip_is_told:
        return
    if address is not None:
        _check_claim(device, address)
        Device.objects.filter(
            organization_id=device.organization_id, management_ip=address
        ).exclude(pk=device.pk).update(management_ip=None, management_ip_is_told=False)
    if address != device.management_ip:
        device.is_approved = False
    device.management_ip = address
    device.management_ip_is_told = address is not None
    device.checked().save(
        update_fields=["management_ip", "management_ip_is_told", "is_approved"]
    )


def _check_claim(device: Device, address: str) -> None:
    """Raise ClaimRefused for an address outside of the organization's management networks."""
    known = parsed(address)
    if known is None or "%" in address:
        raise Refused(gettext("Enter a valid IPv4 or IPv6 address, without a zone."))
    words = settings_of(device.organization).management_networks
    setting = "the organization's management networks" if words else CLAIMS
    words = words or settings.MUSTER_MANAGEMENT_NETWORKS
    if why := policy(setting, tuple(words)).refusal(known):
        raise ClaimRefused(f"The management address is not taken: {why}")


def set_approved(device: Device, *, approved: bool) -> None:
    """Record whether passwords may be offered at the device's present address."""
    device.is_approved = approved
    device.save(update_fields=["is_approved"])
