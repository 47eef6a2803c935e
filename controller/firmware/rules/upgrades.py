"""Upgrades of single devices: start, cancel, retry."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Concat, Right
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.accounts.rules.audit import record_audit
from controller.base.errors import Conflict, NotPermitted, Refused
from controller.base.events import Event, event_for, publish
from controller.base.leases import FREE
from controller.celery import enqueue_on_commit
from controller.connections.models import DeviceConnection
from controller.devices.models import Device
from controller.firmware.engine.apt import TITLES
from controller.firmware.engine.options import Options, parse
from controller.firmware.models import (
    DeviceFirmware,
    DeviceSystem,
    FirmwareRollout,
    Image,
    Upgrade,
)
from controller.firmware.rules.policies import check_switches, policy_of
from controller.notifications.rules.notices import record_notices

RUN = "controller.firmware.tasks.run_upgrades"
LONGEST_LOG = 64 * 1024
DEACTIVATED = "Firmware upgrades are not allowed for deactivated devices."
NO_CONNECTION = (
    "This device does not have a related connection object defined yet and therefore it would "
    "not be possible to upgrade it, please add one in the section named "
    '"DEVICE CONNECTIONS"'
)
UNDER_WAY = "Another upgrade of the device is under way."
CLOSED = "The maintenance window is closed."
PUT_OFF = "Put off before the flash: the window closed, or a configuration is being applied."
LOST = "Given up by a user: the outcome is not known."
REPLACED = "The device was replaced by another one: the outcome is not known."
State = Upgrade.State


def new_upgrade(device: Device, image: Image, **values: Any) -> Upgrade:
    """Return an unsaved upgrade with copies of what its history must keep."""
    return Upgrade(
        device=device,
        image=image,
        image_name=image.name,
        sha256=image.sha256,
        size=image.size,
        version=image.version,
        revision=image.revision,
        **values,
    )


def new_package_upgrade(device: Device, which: str, **values: Any) -> Upgrade:
    """Return an unsaved update of the packages of a host."""
    if which not in TITLES:
        raise Refused(
            {
                "packages": [
                    gettext("Either %(titles)s is expected.") % {"titles": " or ".join(TITLES)}
                ]
            }
        )
    return Upgrade(device=device, packages=which, image_name=TITLES[which], size=0, **values)


@transaction.atomic
def start_upgrade(
    device: Device,
    image: Image,
    *,
    options: dict[str, Any] | None = None,
    author: User | None = None,
) -> Upgrade:
    """Queue the upgrade of a device; raise Conflict if another one is under way.

    Where the organization asks for a second person, it waits for an approval.
    """
    check_device(device)
    check_image(device, image)
    check_switches(check_options(options or {}), device.organization_id)
    return queue_upgrade(
        new_upgrade(device, image, options=options or {}, author=author), author
    )


@transaction.atomic
def queue_upgrade(row: Upgrade, author: User | None) -> Upgrade:
    """Save a new upgrade, due or to be approved; raise Conflict if another one is under way."""
    device = row.device
    waiting = (State.PROPOSED, *Upgrade.OPEN)
    if Upgrade.objects.filter(device=device, state__in=waiting).exists():
        raise Conflict(UNDER_WAY)
    if policy_of(device.organization_id).needs_approval:
        row.state = State.PROPOSED
    row.log = line(f"{row.get_state_display()}.")
    row.save()
    record_audit("firmware.upgrade", device, after={"image": row.image_name}, by=author)
    publish_progress(row)
    enqueue_on_commit(RUN)
    return row


def check_options(options: object) -> Options:
    """Return the options; raise Refused with the reason if they cannot be."""
    try:
        return parse(options)
    except ValueError as error:
        raise Refused({"upgrade_options": [str(error)]}) from error


def check_device(device: Device) -> None:
    if device.is_deactivated:
        raise NotPermitted(DEACTIVATED)
    if not device.organization.is_active:
        raise Refused(gettext("Firmware upgrades are not allowed for disabled organizations."))
    if not DeviceConnection.objects.by_ssh().filter(device=device).exists():
        raise Refused(NO_CONNECTION)


def check_image(device: Device, image: Image) -> None:
    owner = image.build.category.organization_id
    if owner not in {None, device.organization_id}:
        raise Refused(
            {
                "image": [
                    gettext(
                        "The organization of the image doesn't match the organization of the device"
                    )
                ]
            }
        )
    system = DeviceSystem.objects.filter(device=device).first()
    is_known = system is not None and system.board and image.has_metadata
    if system and is_known and not image.boards.filter(name=system.board).exists():
        raise Refused(gettext("Device model and image model do not match"))


@transaction.atomic
def assign_image(
    device: Device, image: Image, *, options: dict[str, Any] | None = None,
    author: User | None = None,
) -> tuple[DeviceFirmware, bool]:  # fmt: skip
    """Assign an image to a device, and upgrade it unless it proved to run the image.

    Returns the row, and whether it was created.
    """
    check_device(device)
    check_image(device, image)
    row = DeviceFirmware.objects.select_for_update().filter(device=device).first()
    is_new = row is None
    row = row or DeviceFirmware(device=device, image=image)
    if not is_new and row.image_id == image.pk and row.installed:
        return row, False
    row.image, row.installed, row.proved = image, False, None
    row.checked().save()
    start_upgrade(device, image, options=options, author=author)
    return row, is_new


@transaction.atomic
def cancel(row: Upgrade, *, reason: str = "Cancelled by a user.") -> Upgrade:
    """Cancel an upgrade whose device has not been told to flash; raise Conflict otherwise.

    One conditional update: a worker that has the row cannot mark it as sent any more.
    """
    now = timezone.now()
    stopped = Upgrade.objects.filter(
        pk=row.pk, sent=None, state__in=(State.PROPOSED, State.WAITING, *Upgrade.BEFORE)
    ).update(
        state=State.CANCELLED, reason=reason, ended=now, modified=now,
        log=appended(reason), **FREE,
    )  # fmt: skip
    row.refresh_from_db()
    if not stopped:
        if row.is_open:
            raise Conflict(gettext("Cannot cancel: reflashing has already started."))
        raise Conflict(
            gettext("Cannot cancel operation with status: %(state)s") % {"state": row.state}
        )
    record_audit("firmware.cancel", row.device, after={"image": row.image_name})
    publish_progress(row)
    return row


def retry(row: Upgrade, *, author: User | None = None) -> Upgrade:
    """Queue a failed, aborted or cancelled upgrade again, as a new one."""
    if row.state not in {State.FAILED, State.ABORTED, State.CANCELLED, State.LEFT}:
        raise Conflict(gettext("Only upgrades that did not succeed can be retried."))
    if row.packages:
        again = new_package_upgrade(
            row.device, row.packages, may_restart=row.may_restart, author=author
        )
        check_device(row.device)
        return queue_upgrade(again, author)
    if row.image is None:
        raise Conflict(gettext("The image of this upgrade was deleted."))
    return start_upgrade(row.device, row.image, options=row.options, author=author)


@transaction.atomic
def give_up(row: Upgrade, reason: str = LOST) -> Upgrade:
    """Close an upgrade of unknown outcome, as the device is lost."""
    now = timezone.now()
    closed = Upgrade.objects.filter(pk=row.pk, state=State.UNKNOWN).update(
        state=State.FAILED, reason=reason, ended=now, modified=now, log=appended(reason), **FREE
    )
    row.refresh_from_db()
    if not closed:
        raise Conflict(gettext("Only upgrades of unknown outcome can be given up."))
    publish_progress(row)
    return row


@transaction.atomic
def replaced(row: Upgrade) -> Upgrade:
    """Close an upgrade of unknown outcome, and accept the host key of the new device."""
    row = give_up(row, REPLACED)
    DeviceConnection.objects.filter(device=row.device_id).update(host_key="")
    DeviceSystem.objects.filter(device=row.device_id).delete()
    record_audit("firmware.replaced", row.device)
    return row


def ask_now(row: Upgrade) -> None:
    """Make an open upgrade due at once."""
    waiting = Upgrade.objects.filter(pk=row.pk, state__in=Upgrade.OPEN, leased_until=None)
    if waiting.update(not_before=timezone.now()):
        enqueue_on_commit(RUN)


def line(text: str, at: datetime | None = None) -> str:
    return f"[{at or timezone.now():%Y-%m-%d %H:%M:%S}] {text}\n"


def appended(text: str) -> Any:
    """Return the expression that appends a line to the log; its oldest part is cut off."""
    return Right(Concat(F("log"), Value(line(text))), LONGEST_LOG)


def publish_progress(row: Upgrade) -> None:
    event = event_for(
        row, "firmware.upgrade", "firmware:read", name=row.device.name, state=row.state,
        reason=row.reason, device=row.device_id, rollout=row.rollout_id,
        image=row.image_name,
    )  # fmt: skip
    publish(event)
    # Of a rollout under way people are told once, when it halts or ends.
    if row.rollout is None or row.rollout.state not in FirmwareRollout.ACTIVE:
        record_notices([event])


def publish_rollout(row: FirmwareRollout) -> None:
    event = _event(row, row.state, row.reason)
    publish(event)
    record_notices([event])


def tell_ended(row: FirmwareRollout, reason: str) -> None:
    """Notify users once that a rollout ended with unhealthy devices."""
    record_notices([_event(row, "incomplete", reason)])


def tell_proposed(row: FirmwareRollout) -> None:
    """Notify approvers of a rollout that waits for approval."""
    record_notices([_event(row, "asked", "")])


def _event(row: FirmwareRollout, state: str, reason: str) -> Event:
    return event_for(
        row, "firmware.rollout", "firmware:read", name=row.cargo, state=state,
        wave=row.wave, waves=len(row.waves), reason=reason,
    )  # fmt: skip
