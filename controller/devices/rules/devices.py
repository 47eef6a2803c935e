"""Devices: add, change, activate; their configurations are rules of a layer above."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from controller.accounts.models import Organization, Site
from controller.base.errors import Refused
from controller.base.secrets import digest
from controller.devices.engine.identity import consistent_key, random_key
from controller.devices.models import (
    Device,
    OrganizationSettings,
    Presence,
)
from controller.devices.rules.groups import check_group
from controller.devices.rules.organization_settings import settings_of


@transaction.atomic
def add_device(*, organization: Organization, key: str = "", **values: Any) -> Device:
    """Add a device to the inventory. Without ``key``, one is generated as agents do."""
    settings = settings_of(organization)
    check_limit(settings)
    check_group(values.get("group"), organization)
    check_site(values.get("site"), organization)
    device = Device(organization=organization, **values)
    device.key = key or new_key(settings, device.mac_address)
    _checked(device).save()
    Presence.objects.create(device=device)
    return device


def new_key(settings: OrganizationSettings, mac_address: str) -> str:
    """Return the key of a new device: as its agent derives it, or random if consistent keys are off."""
    if settings.consistent_keys:
        return consistent_key(mac_address, settings.shared_secret)
    return random_key()


def check_limit(settings: OrganizationSettings) -> None:
    limit = settings.device_limit
    if limit and Device.objects.filter(organization=settings.organization).count() >= limit:
        raise Refused(
            gettext(
                "The maximum number of devices of %(organization)s is %(limit)s. Raise the "
                "limit, or remove a device, to add another."
            )
            % {"organization": settings.organization, "limit": limit}
        )


def check_site(site: Site | None, organization: Organization) -> None:
    if site is not None and site.organization_id != organization.pk:
        raise Refused(
            {"site": [gettext("The organization of this device and of its site do not match.")]}
        )


@transaction.atomic
def change_device(device: Device, **values: Any) -> Device:
    """Update fields of a device that is not deactivated."""
    organization = values.get("organization", device.organization)
    if organization.pk != device.organization_id:
        check_limit(settings_of(organization))
        values.setdefault("site", None)
    check_group(values.get("group", device.group), organization)
    check_site(values.get("site", device.site), organization)
    if "management_ip" in values:
        device.management_ip_is_told = False
        if values["management_ip"] != device.management_ip:
            device.is_approved = False
    for name, value in values.items():
        setattr(device, name, value)
    _checked(device).save()
    return device


def _checked(device: Device) -> Device:
    """Validate the device; raise Refused if another device has the same key."""
    device.checked(leave_out={"key_digest"})
    device.key_digest = digest(device.key)
    if Device.objects.filter(key_digest=device.key_digest).exclude(pk=device.pk).exists():
        raise Refused({"key": [gettext("Device with this Key already exists.")]})
    return device


def deactivate(device: Device) -> None:
    device.is_deactivated = True
    device.save(update_fields=["is_deactivated"])


def activate(device: Device) -> None:
    device.is_deactivated = False
    device.save(update_fields=["is_deactivated"])
