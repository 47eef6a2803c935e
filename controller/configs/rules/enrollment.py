"""Enrollment of devices by their own key, with approval by a user."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, SignatureExpired, TimestampSigner
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import Organization, User
from controller.base.errors import Conflict, NotPermitted, Refused
from controller.base.events import event_for, publish
from controller.configs.models import Backend
from controller.configs.rules.agent import FACTS
from controller.configs.rules.devices import add_config, update_device
from controller.configs.rules.version_records import record_device
from controller.devices import rules as devices
from controller.devices.engine import proof
from controller.devices.engine.identity import random_key
from controller.devices.models import Device, DeviceGroup, Enrollment, OrganizationSettings
from controller.notifications.rules.notices import record_notices

CHALLENGE_SECONDS = 300
# Limit per organization against floods of generated keys.
PENDING_MOST = 500
REPORTED = (*FACTS, "backend", "tags", "hardware_id", "management_ip")
LONGEST_FACT = 128

DISABLED = "error: enrollment disabled"


def challenge() -> str:
    """Return a challenge that the device signs, against replay of old requests."""
    return _signer().sign(random_key())


def _signer() -> TimestampSigner:
    return TimestampSigner(salt="controller.enrollment")


@transaction.atomic
def request_enrollment(
    told: Mapping[str, str], *, message: bytes, signature: str, address: str | None = None
) -> Enrollment:
    """Create or refresh an enrollment request and return it with its current state.

    ``message`` is the signed text: the request up to the signature. Raises Refused if
    challenge, key
    or signature are invalid, NotPermitted if the organization does not accept enrollments.
    """
    try:
        _signer().unsign(told.get("challenge", ""), max_age=CHALLENGE_SECONDS)
    except SignatureExpired as error:
        raise Refused("error: the challenge is too old, ask for another one") from error
    except BadSignature as error:
        raise Refused("error: the challenge is none of ours, ask for one") from error
    try:
        key = proof.public_key(told.get("public_key", ""))
        proof.check(key, signature, message)
    except proof.BadProof as error:
        raise Refused(gettext("error: %(error)s") % {"error": error}) from error
    known = (
        Enrollment.objects.select_related("organization", "device__organization")
        .filter(public_key=proof.written(key))
        .first()
    )
    owner = _organization(told.get("organization", ""))
    if known and known.state != Enrollment.State.PENDING:
        # The current organization after a transfer, not the one configured at first boot.
        owner = known.device.organization if known.device else known.organization
    if not _accepts(owner):
        raise NotPermitted(DISABLED)
    assert owner is not None  # noqa: S101 - what does not exist accepts nothing
    row = known or Enrollment(public_key=proof.written(key), fingerprint=proof.fingerprint(key))
    return _noted(row, owner, told, address)


def _organization(slug: str) -> Organization | None:
    return Organization.objects.filter(slug=slug, is_active=True).first()


def _accepts(owner: Organization | None) -> bool:
    return bool(
        owner
        and owner.is_active
        and OrganizationSettings.objects.filter(
            organization=owner, enrollment_enabled=True
        ).exists()
    )


def _noted(
    row: Enrollment, owner: Organization, told: Mapping[str, str], address: str | None
) -> Enrollment:
    if row.state == Enrollment.State.APPROVED and row.device is None:
        # The device was deleted meanwhile, so the request starts over.
        row.state = Enrollment.State.PENDING
    if row._state.adding:
        waiting = Enrollment.objects.filter(organization=owner, state=Enrollment.State.PENDING)
        if waiting.count() >= PENDING_MOST:
            raise NotPermitted("error: too many devices wait for approval already")
    row.organization = owner
    if row.state == Enrollment.State.PENDING:
        row.name, row.mac_address = told["name"], told["mac_address"]
        row.told = {name: told[name][:LONGEST_FACT] for name in REPORTED if told.get(name)}
        if told.get("backend", Backend.OPENWRT) not in Backend.values:
            raise NotPermitted("error: wrong backend")
    is_new = row._state.adding
    row.asked, row.address = timezone.now(), address
    row.checked().save()
    if is_new:
        told_of = {"name": row.name, "fingerprint": row.fingerprint, "state": row.state}
        event = event_for(row, "device.enrollment", "device:read", **told_of)
        publish(event)
        record_notices([event])
    return row


def same_mac(enrollment: Enrollment) -> Device | None:
    """Return the organization's device with the same MAC address, or None."""
    return Device.objects.filter(
        organization=enrollment.organization_id, mac_address=enrollment.mac_address
    ).first()


@transaction.atomic
def approve(
    enrollment: Enrollment,
    *,
    by: User | None,
    name: str = "",
    group: DeviceGroup | None = None,
    replaces: bool = False,
) -> Device:
    """Approve a request: create a device or, with ``replaces``, take over an existing one.

    Returns the device, whose id and key are sent with the next request. Raises Conflict if
    it was
    already approved, or if the MAC address exists and ``replaces`` is False.
    """
    if enrollment.state == Enrollment.State.APPROVED:
        raise Conflict(gettext("This device has been approved already."))
    there = same_mac(enrollment)
    if there is not None and not replaces:
        raise Conflict(
            gettext(
                "%(there)s has this MAC address already. Approve it as a replacement of that "
                "device, which then gets a new key, or reject it."
            )
            % {"there": there}
        )
    device = _taken_over(there) if there else _added(enrollment, name or enrollment.name, group)
    Enrollment.objects.filter(device=device).exclude(pk=enrollment.pk).update(
        device=None, state=Enrollment.State.REJECTED
    )
    enrollment.device = device
    _decide(enrollment, Enrollment.State.APPROVED, by)
    return device


def _taken_over(device: Device) -> Device:
    return update_device(device, key=random_key())


def _added(enrollment: Enrollment, name: str, group: DeviceGroup | None) -> Device:
    told: dict[str, Any] = enrollment.told
    device = devices.add_device(
        organization=enrollment.organization,
        name=name,
        mac_address=enrollment.mac_address,
        key=random_key(),
        hardware_id=told.get("hardware_id") or None,
        group=group,
        **{fact: told.get(fact, "") for fact in FACTS},
    )
    if told.get("management_ip"):
        devices.claim_management_ip(device, told["management_ip"])
        # The person who approves it has seen the address.
        devices.set_approved(device, approved=True)
    backend = told.get("backend", Backend.OPENWRT)
    add_config(device, backend=backend, tags=told.get("tags", "").split())
    record_device(device)
    return device


def reject(enrollment: Enrollment, *, by: User | None) -> Enrollment:
    """Reject the key. An approval later overrides this."""
    if enrollment.state == Enrollment.State.APPROVED:
        raise Conflict(gettext("This device has been approved; deactivate it instead."))
    return _decide(enrollment, Enrollment.State.REJECTED, by)


def _decide(enrollment: Enrollment, state: str, by: User | None) -> Enrollment:
    enrollment.state, enrollment.decided, enrollment.decided_by = state, timezone.now(), by
    enrollment.save()
    told_of = {"name": enrollment.name, "fingerprint": enrollment.fingerprint, "state": state}
    publish(event_for(enrollment, "device.enrollment", "device:read", **told_of))
    return enrollment


def dismiss(enrollment: Enrollment) -> None:
    """Delete the request; the device may ask again. Raises Conflict if approved."""
    if enrollment.state == Enrollment.State.APPROVED:
        raise Conflict(
            gettext("This is how the device proves who it is; delete the device instead.")
        )
    enrollment.delete()


def prune() -> int:
    """Delete pending requests not renewed in time. Returns their number."""
    limit = timezone.now() - timedelta(days=settings.MUSTER_ENROLLMENT_DAYS)
    gone, _ = Enrollment.objects.filter(
        state=Enrollment.State.PENDING, asked__lt=limit
    ).delete()
    return gone
