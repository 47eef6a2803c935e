"""Rules of devices and groups; their configurations are a layer above."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import Organization, Site
from controller.base.database import update_columns
from controller.base.errors import Conflict, Refused
from controller.base.events import Event, event_for, publish_on_commit
from controller.base.outbound.addresses import parsed, policy
from controller.base.secrets import digest
from controller.devices.engine import rhythm
from controller.devices.engine.identity import consistent_key, random_key
from controller.devices.models import (
    Device,
    DeviceGroup,
    OrganizationSettings,
    Presence,
    StatusChange,
)
from controller.notifications.rules.notices import record_notices

CLAIMS = "MUSTER_MANAGEMENT_NETWORKS"


class ClaimRefused(Refused):
    """A device claims an address in a network that its organization does not allow."""


def settings_of(organization: Organization) -> OrganizationSettings:
    """Return the organization's device settings, creating them on first use."""
    found, _ = OrganizationSettings.objects.get_or_create(organization=organization)
    return found


def settings_by_secret(shared_secret: str) -> OrganizationSettings | None:
    """Return the settings of the active organization with this secret, or None."""
    return (
        OrganizationSettings.objects.select_related("organization")
        .filter(shared_secret_digest=digest(shared_secret), organization__is_active=True)
        .first()
    )


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
    """Return the key an agent derives itself, or a random one if consistent keys are off."""
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


def check_group(group: DeviceGroup | None, organization: Organization) -> None:
    if group is not None and group.organization_id != organization.pk:
        raise Refused(
            {
                "group": [
                    gettext("The organization of this device and of its group do not match.")
                ]
            }
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


def create_group(**values: Any) -> DeviceGroup:
    group = DeviceGroup(**values).checked()
    group.save()
    return group


def update_group(group: DeviceGroup, **values: Any) -> DeviceGroup:
    organization = values.get("organization", group.organization)
    if organization.pk != group.organization_id and group.devices.exists():
        raise Conflict(gettext("A group with devices cannot move to another organization."))
    for name, value in values.items():
        setattr(group, name, value)
    group.checked().save()
    return group


@dataclass(frozen=True)
class Observation:
    """Presence of one device as observed by a poll, or by a request of the device at a time."""

    device_id: UUID
    state: str
    reason: str = ""
    at: datetime | None = None


@transaction.atomic
def record_observations(sightings: Iterable[Observation]) -> list[UUID]:
    """Record observed presences in bulk. Returns the ids of devices that came online."""
    found = {sighting.device_id: sighting for sighting in sightings}
    now = timezone.now()
    rows = list(
        Presence.objects.select_for_update(of=("self",))
        .filter(device_id__in=found)
        .order_by("pk")
    )
    changes, arrived = [], []
    for row in rows:
        seen = found[row.device_id]
        if seen.state == Presence.State.ONLINE:
            if seen.at is not None:
                _learn_rhythm(row, seen.at)
            row.last_seen = seen.at or now
        row.reason = seen.reason[:200]
        if row.state != seen.state:
            row.state, row.since = seen.state, now
            changes.append(
                StatusChange(
                    device_id=row.device_id, state=seen.state, reason=row.reason, at=now
                )
            )
            if seen.state == Presence.State.ONLINE:
                arrived.append(row.device_id)
    Presence.objects.bulk_update(
        rows, ["state", "since", "last_seen", "reason", "gaps"], batch_size=500
    )
    StatusChange.objects.bulk_create(changes, batch_size=500)
    publish_status(changes)
    return arrived


def _learn_rhythm(row: Presence, at: datetime) -> None:
    if row.last_seen is not None:
        row.gaps = rhythm.with_gap(row.gaps, (at - row.last_seen).total_seconds())


def publish_status(changes: Sequence[StatusChange]) -> None:
    """Publish presence changes to listeners, and record notices for them."""
    found = {change.device_id: change for change in changes}

    def events() -> Iterator[Event]:
        rows = Device.objects.filter(pk__in=found).only("name", "organization", "site")
        for device in rows:
            change = found[device.pk]
            yield event_for(
                device, "device.status", "device:read",
                name=device.name, status=change.state, reason=change.reason,
            )  # fmt: skip

    if found:
        publish_on_commit(events)
        record_notices(events())


def _is_private(address: str) -> bool:
    try:
        return ip_address(address).is_private
    except ValueError:
        return False


def _release(moved: Mapping[UUID, str]) -> None:
    """Clear a private `last_ip` from devices that had it before.

    Within an organization a private address belongs to one device; public addresses are
    shared by
    all devices behind one router.
    """
    owners = dict(Device.objects.filter(pk__in=moved).values_list("pk", "organization"))
    former = Presence.objects.filter(last_ip__in=set(moved.values())).exclude(
        device_id__in=moved
    )
    taken = {(owners.get(pk), address) for pk, address in moved.items()}
    gone = [
        row.pk
        for row in former.select_related("device").only("last_ip", "device__organization")
        if (row.device.organization_id, row.last_ip) in taken
    ]
    Presence.objects.filter(pk__in=gone).update(last_ip=None)


def record_last_seen(seen: Mapping[UUID, tuple[datetime, str]]) -> int:
    """Record time and address of last requests in bulk: device → (time, address).

    Returns the number of devices updated.
    """
    rows = list(Presence.objects.filter(device_id__in=seen))
    moved = {}
    for row in rows:
        if (address := seen[row.device_id][1]) != row.last_ip and _is_private(address):
            moved[row.device_id] = address
        _learn_rhythm(row, seen[row.device_id][0])
        row.last_seen, row.last_ip = seen[row.device_id]
    if moved:
        _release(moved)
    update_columns(rows, "last_seen", "last_ip", "gaps")
    return len(rows)


def update_settings(settings: OrganizationSettings, **values: Any) -> OrganizationSettings:
    limit = values.get("device_limit", settings.device_limit)
    if limit and limit != settings.device_limit:
        count = Device.objects.filter(organization=settings.organization_id).count()
        if limit < count:
            raise Refused(
                {
                    "device_limit": [
                        gettext("%(organization)s has %(count)s devices already.")
                        % {"organization": settings.organization, "count": count}
                    ]
                }
            )
    for name, value in values.items():
        setattr(settings, name, value)
    settings.shared_secret_digest = digest(settings.shared_secret)
    settings.checked().save()
    return settings


def rotate_shared_secret(settings: OrganizationSettings) -> OrganizationSettings:
    """Create a new registration secret; registered devices keep their keys."""
    return update_settings(settings, shared_secret=random_key())
