"""Requests of device agents: registration, checksum, download, report."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, UUIDField
from django.db.models.functions import Coalesce

from controller.accounts.rules.audit import record_audit
from controller.base.compiled_queries import CompiledQuery
from controller.base.errors import NotFound, NotPermitted
from controller.base.secrets import digest
from controller.base.values import mac_spellings
from controller.configs.models import Backend, Config, ConfigQuerySet, Push
from controller.configs.rules.agent_cache import publish_checksums
from controller.configs.rules.devices import add_config
from controller.configs.rules.push_results import (
    close_pushes,
    mark_applied,
    mark_failed,
    save_progress,
)
from controller.configs.rules.template_assignment import render_or_refuse
from controller.configs.rules.version_records import record_device
from controller.devices import rules as devices
from controller.devices.engine.identity import consistent_key, same_mac
from controller.devices.models import Device, OrganizationSettings

log = logging.getLogger(__name__)

# Facts that an agent may report; everything else is ignored.
FACTS = ("model", "os", "system")


def _pollable() -> ConfigQuerySet:
    """Return configurations that agents may request."""
    return Config.objects.filter(device__organization__is_active=True).exclude(
        status=Config.Status.DEACTIVATED
    )


# Compiled: every device runs these after every change.
ARCHIVE_QUERY = CompiledQuery(
    lambda device: (
        _pollable()
        .filter(device=device)
        .values_list(
            "device__key_digest", "device__name", "served", "desired", "desired__archive"
        )
    ),
    device=UUIDField(),
)
REPEATED_REPORT = CompiledQuery(
    lambda device: (
        _pollable()
        .filter(
            device=device, status=Config.Status.APPLIED, applied=Coalesce("served", "desired")
        )
        .annotate(waits=Exists(Push.objects.filter(config=OuterRef("pk"), state__in=Push.OPEN)))
        .values_list("device__key_digest", "waits")
    ),
    device=UUIDField(),
)


@dataclass(frozen=True)
class Registration:
    device: Device
    is_new: bool


@transaction.atomic
def register(shared_secret: str, told: Mapping[str, str]) -> Registration:
    """Register a device with its organization's secret, or again with its key.

    Raises NotPermitted or NotFound if the secret, the backend or the device is not
    accepted.
    """
    owner = devices.settings_by_secret(shared_secret)
    if owner is None:
        raise NotPermitted("error: unrecognized secret")
    if not owner.registration_enabled:
        raise NotPermitted("error: registration disabled")
    if told["backend"] not in Backend.values:
        raise NotPermitted("error: wrong backend")
    key = told.get("key", "")
    known = _known(owner, key) or _by_hardware_id(owner, told) or _by_mac_address(owner, told)
    if known is None and not owner.self_creation:
        raise NotFound("error: nobody has added this device")
    device = _refreshed(known, told) if known else _added(owner, told)
    if not Config.objects.filter(device=device).exists():
        add_config(device, backend=told["backend"], tags=told.get("tags", "").split())
    record_device(device)
    return Registration(device, is_new=known is None)


def _known(owner: OrganizationSettings, key: str) -> Device | None:
    if not key:
        return None
    # Key and organization together: another organization's secret does not match.
    return Device.objects.filter(
        key_digest=digest(key), organization=owner.organization
    ).first()


def _by_hardware_id(owner: OrganizationSettings, told: Mapping[str, str]) -> Device | None:
    """Match a device added by serial number, if the agent has the derived key.

    Only while the device has the key derived from the secret: anyone with the secret knows
    that key
    as well.
    """
    hardware_id, key = told.get("hardware_id", ""), told.get("key", "")
    if not hardware_id or key != consistent_key(hardware_id, owner.shared_secret):
        return None
    device = Device.objects.filter(
        organization=owner.organization, hardware_id=hardware_id
    ).first()
    if device is None or not _has_derived_key(owner, device):
        return None
    return devices.change_device(device, key=key)


def _by_mac_address(owner: OrganizationSettings, told: Mapping[str, str]) -> Device | None:
    """Match a device added by its MAC address, whose agent spells that in another way."""
    key = told.get("key", "")
    if not key or key != consistent_key(told["mac_address"], owner.shared_secret):
        return None
    device = Device.objects.filter(
        organization=owner.organization, mac_address=told["mac_address"]
    ).first()
    if device is None or not _has_derived_key(owner, device):
        return None
    return devices.change_device(device, key=key)


def _has_derived_key(owner: OrganizationSettings, device: Device) -> bool:
    """Return whether its key is derived of its MAC address, in any spelling."""
    spellings = mac_spellings(device.mac_address)
    return device.key in {consistent_key(one, owner.shared_secret) for one in spellings}


def _refreshed(device: Device, told: Mapping[str, str]) -> Device:
    if device.is_deactivated:
        raise NotPermitted("error: device deactivated")
    name = told["name"]
    changes = {fact: told[fact].strip() for fact in FACTS if told.get(fact, "").strip()}
    if not same_mac(name, device.mac_address):
        changes["name"] = name
    _change(device, changes)
    if told.get("management_ip"):
        devices.claim_management_ip(device, told["management_ip"])
    return device


def _added(owner: OrganizationSettings, told: Mapping[str, str]) -> Device:
    facts = {fact: told.get(fact, "").strip() for fact in FACTS}
    device = devices.add_device(
        organization=owner.organization,
        name=told["name"],
        mac_address=told["mac_address"],
        key=told.get("key", "") if owner.consistent_keys else "",
        hardware_id=told.get("hardware_id") or None,
        is_approved=False,
        **facts,
    )
    record_audit("register", device)
    if told.get("management_ip"):
        devices.claim_management_ip(device, told["management_ip"])
    return device


def _change(device: Device, changes: Mapping[str, str]) -> None:
    changes = {name: value for name, value in changes.items() if getattr(device, name) != value}
    if not changes:
        return
    devices.change_device(device, **changes)
    row = Config.objects.filter(device=device).first()
    if row is not None and {"name", "os"} & changes.keys():
        render_or_refuse(row)
    record_device(device)


def config_for(device_id: UUID, key: str) -> Config:
    """Return the configuration that the holder of this key may request.

    Raises :class:`NotFound` for a device that is unknown, has no configuration, is fully
    deactivated or belongs to an inactive organization; :class:`NotPermitted` for a wrong
    key.
    """
    row: Config | None = (
        _pollable()
        .select_related("device", "desired")
        .defer("desired__archive", "desired__made_of", "config", "context")
        .filter(device=device_id)
        .first()
    )
    if row is None:
        raise NotFound("error: not found")
    if digest(key) != row.device.key_digest:
        raise NotPermitted("error: wrong key")
    return row


def poll(device_id: UUID, key: str, management_ip: str) -> str:
    """Return the desired checksum for the agent; store its management IP."""
    row = config_for(device_id, key)
    first = row.served_id is None
    if (management_ip or None) != row.device.management_ip and (management_ip or not first):
        _claim(row.device, management_ip or None)
    if row.desired is None:
        render_or_refuse(row)
    publish_checksums([row.pk])
    assert row.desired is not None  # noqa: S101 - settle_rendering stores it or refuses
    return row.desired.checksum


def _claim(device: Device, address: str | None) -> None:
    """Store the address that the agent names; where it may not be taken, the device has none."""
    try:
        devices.claim_management_ip(device, address)
    except devices.ClaimRefused as refusal:
        log.warning("%s: %s", device, refusal)
        devices.claim_management_ip(device, None)


def download(device_id: UUID, key: str) -> tuple[str, bytes]:
    """Return the device's name and the archive with the announced checksum."""
    for key_digest, name, served, desired, archive in ARCHIVE_QUERY(device=device_id):
        if digest(key) == key_digest and desired is not None:
            if served != desired:
                Config.objects.filter(device=device_id).update(served=desired)
            return name, bytes(archive)
    # Exceptions: unknown device, wrong key, or a configuration that cannot be rendered.
    render_or_refuse(config_for(device_id, key))
    return download(device_id, key)


def report(device_id: UUID, key: str, status: str, reason: str) -> str:
    """Record the agent's report on its last download. Returns the resulting status.

    The report names no archive, so it applies to the one downloaded last: a late report on
    an older
    archive does not mark a newer one as applied.
    """
    if status == Config.Status.APPLIED and _is_known(device_id, key):
        return status
    return _apply_report(device_id, key, status, reason)


def _is_known(device_id: UUID, key: str) -> bool:
    """Return whether the report only repeats what is recorded.

    Agents repeat it after every start and every lost response.
    """
    return any(
        digest(key) == key_digest and not waits
        for key_digest, waits in REPEATED_REPORT(device=device_id)
    )


@transaction.atomic
def _apply_report(device_id: UUID, key: str, status: str, reason: str) -> str:
    row = config_for(device_id, key)
    if status not in Config.Status.values:
        raise NotPermitted("error: wrong status")
    snapshot = row.served_id or row.desired_id
    if row.is_retired:
        mark_applied(row, row.desired_id)
    elif status == Config.Status.APPLIED:
        mark_applied(row, snapshot)
    elif status == Config.Status.ERROR:
        mark_failed(row, snapshot, reason)
    elif status == Config.Status.MODIFIED:
        row.applied_id = None
    save_progress([row])
    row.refresh_from_db(fields=["status"])
    if row.status != Config.Status.MODIFIED:
        close_pushes(row)
    if row.status == Config.Status.DEACTIVATED:
        devices.claim_management_ip(row.device, None)
    status_now: str = row.status
    return status_now


def update_info(device_id: UUID, key: str, told: Mapping[str, str]) -> None:
    row = config_for(device_id, key)
    if row.device.is_deactivated:
        raise NotPermitted("error: device deactivated")
    facts: dict[str, str] = {fact: told.get(fact, "").strip() for fact in FACTS}
    _change(row.device, {fact: value for fact, value in facts.items() if value})
