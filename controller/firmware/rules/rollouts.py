"""Rollouts of builds in waves: who is reached, who is not and why, gates, pauses, halts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from controller.accounts.models import User
from controller.accounts.rules.audit import record_audit
from controller.base.errors import Conflict, Refused
from controller.base.leases import FREE, for_each
from controller.celery import enqueue_on_commit
from controller.configs.engine.waves import sizes
from controller.connections.models import DeviceConnection
from controller.devices.models import Device, DeviceGroup
from controller.firmware.engine.options import parse
from controller.firmware.models import (
    Build,
    DeviceFirmware,
    FirmwareRollout,
    ImageBoard,
    Upgrade,
)
from controller.firmware.rules.matching import Match, match_devices, with_systems
from controller.firmware.rules.upgrades import (
    CLOSED,
    PUT_OFF,
    RUN,
    check_options,
    line,
    new_upgrade,
    publish_rollout,
)
from geo.models import Location

State = FirmwareRollout.State
Of = Upgrade.State
NOBODY = "No devices found matching the specified filters."
UNDER_WAY = "Another upgrade of the device is under way."
NO_CONNECTION = "The device has no enabled connection."


@dataclass(frozen=True)
class Health:
    """Number of released devices by what came of them."""

    total: int
    reached: int
    confirmed: int
    failed: int
    unknown: int
    left: int

    @property
    def failure_percent(self) -> int:
        """Return the share of devices that failed or are unknown, of those that were reached."""
        bad = self.failed + self.unknown
        return round(100 * bad / self.reached) if self.reached else 0

    def __str__(self) -> str:
        return (
            f"{self.confirmed} confirmed, {self.failed} failed, {self.unknown} unknown, "
            f"{self.left} left out, of {self.total}"
        )


def assigned(
    build: Build, group: DeviceGroup | None = None, location: Location | None = None
) -> QuerySet[DeviceFirmware]:
    """Return the assignments in the build's category that do not have this build yet."""
    rows = DeviceFirmware.objects.filter(
        image__build__category=build.category_id, device__in=_devices(build, group, location)
    )
    return rows.exclude(image__build=build, installed=True)


def unassigned(
    build: Build, group: DeviceGroup | None = None, location: Location | None = None
) -> QuerySet[Device]:
    """Return devices without assigned firmware whose board an image of the build names."""
    boards = ImageBoard.objects.filter(image__build=build).values("name")
    rows = _devices(build, group, location)
    return rows.filter(firmware=None, firmware_system__board__in=boards)


def _devices(
    build: Build, group: DeviceGroup | None, location: Location | None
) -> QuerySet[Device]:
    rows = Device.objects.filter(is_deactivated=False, organization__is_active=True)
    owner = build.category.organization_id
    rows = rows.filter(organization=owner) if owner else rows
    rows = rows.filter(group=group) if group else rows
    return rows.filter(place__location=location) if location else rows


def candidates(row: FirmwareRollout) -> list[Match]:
    """Return all devices that a rollout is about, with images and reasons against them."""
    wanted = Q(firmware__in=assigned(row.build, row.group, row.location))
    if row.upgrade_all:
        wanted |= Q(pk__in=unassigned(row.build, row.group, row.location))
    devices = with_systems(Device.objects.filter(wanted).order_by("created", "pk"))
    return match_devices(row.build, devices, parse(row.options), assigned={})


@transaction.atomic
def create_rollout(
    build: Build, *, author: User | None = None, **values: Any
) -> FirmwareRollout:
    """Create a draft; raise Refused if it would reach no device."""
    check_options(values.get("options", {}))
    owner = build.category.organization
    row = FirmwareRollout(build=build, organization=owner, author=author, **values)
    for name in ("group", "location"):
        part = getattr(row, name)
        if part is not None and owner is not None and part.organization_id != owner.pk:
            raise Refused({name: ["It is of another organization than the build."]})
    row.checked(leave_out={"organization", "author"})
    if not candidates(row):
        raise Refused(NOBODY)
    row.save()
    return row


@transaction.atomic
def start(rollout: FirmwareRollout) -> FirmwareRollout:
    """Distribute the devices over the waves and release the first one."""
    row = _locked(rollout.pk)
    if row.state != State.DRAFT:
        raise Conflict("It has been started already.")
    found = candidates(row)
    if not found:
        raise Refused(NOBODY)
    now = timezone.now()
    row.state, row.started, row.wave_started = State.RUNNING, now, now
    row.save()
    Upgrade.objects.bulk_create(_upgrades(row, found), batch_size=200)
    record_audit("firmware.rollout", row, after={"build": str(row.build)}, by=row.author)
    _release(row, 0)
    return row


def _upgrades(row: FirmwareRollout, found: Sequence[Match]) -> list[Upgrade]:
    reachable = set(DeviceConnection.objects.by_ssh().values_list("device_id", flat=True))
    fit = _canaries_first([one for one in found if one.fits and one.device.pk in reachable])
    limits = sizes(row.waves, len(fit))
    rows = []
    for at, one in enumerate(fit):
        wave = next(number for number, limit in enumerate(limits) if at < limit)
        rows.append(_upgrade(row, one, state=Of.WAITING, wave=wave))
    now = timezone.now()
    chosen = {one.device.pk for one in fit}
    for one in found:
        if one.device.pk not in chosen:
            reason = " ".join(reason.text for reason in one.reasons) or NO_CONNECTION
            left = _upgrade(row, one, state=Of.LEFT, reason=reason, ended=now)
            left.log = line(reason)
            rows.append(left)
    return rows


def _upgrade(row: FirmwareRollout, match: Match, **values: Any) -> Upgrade:
    of_all = {
        "rollout": row, "author": row.author, "options": row.options,
        "is_persistent": row.is_persistent,
    }  # fmt: skip
    if match.image is None:
        return Upgrade(
            device=match.device, image_name="", sha256="", size=0, **of_all, **values
        )
    return new_upgrade(match.device, match.image, **of_all, **values)


def _canaries_first(found: list[Match]) -> list[Match]:
    """Put one device of each image first, so that early waves try every image."""
    seen: set[UUID] = set()
    first: list[Match] = []
    rest: list[Match] = []
    for one in found:
        is_new = one.image is not None and one.image.pk not in seen
        (first if is_new else rest).append(one)
        if one.image is not None:
            seen.add(one.image.pk)
    return first + rest


def _release(row: FirmwareRollout, wave: int) -> None:
    now = timezone.now()
    row.wave, row.wave_started = wave, now
    row.save()
    waiting = Upgrade.objects.filter(rollout=row, state=Of.WAITING, wave__lte=wave)
    busy = Upgrade.objects.filter(device=OuterRef("device"), state__in=Upgrade.OPEN)
    waiting.filter(Exists(busy)).update(
        state=Of.LEFT, reason=UNDER_WAY, log=line(UNDER_WAY), ended=now, modified=now
    )
    waiting.update(
        state=Of.QUEUED, released=now, not_before=now, modified=now, log=line("Queued.")
    )
    enqueue_on_commit(RUN)
    publish_rollout(row)


def advance_all() -> None:
    """Advance every running rollout; one that fails does not stop the others."""
    running = list(
        FirmwareRollout.objects.filter(state=State.RUNNING).values_list("pk", flat=True)
    )
    for_each(running, advance, name="firmware.rollouts")


@transaction.atomic
def advance(pk: UUID) -> FirmwareRollout:
    """Halt on too many failures; otherwise release the next wave, or finish.

    A wave is over when its pause has passed and each of its devices ended, is unknown, or
    is away without having been sent anything.
    """
    row = _locked(pk)
    if row.state != State.RUNNING or row.wave_started is None:
        return row
    found = health(row)
    if found.failure_percent > row.allowed:
        _halt(row, found)
    elif _is_over(row) and not _under_way(row).exists():
        _next(row)
    return row


def _is_over(row: FirmwareRollout) -> bool:
    """Return whether the pause of the wave has passed, which the last one has none of."""
    started = row.wave_started or timezone.now()
    if timezone.now() >= started + timedelta(seconds=row.pause):
        return True
    return not Upgrade.objects.filter(rollout=row, state=Of.WAITING).exists()


def _under_way(row: FirmwareRollout) -> QuerySet[Upgrade]:
    open_ones = Upgrade.objects.filter(rollout=row, state__in=Upgrade.OPEN)
    # A device that waits for its window is not away: later waves wait for it.
    is_away = Q(state=Of.QUEUED, attempts__gt=0, is_persistent=True)
    is_away &= ~Q(reason__in=["", CLOSED, PUT_OFF])
    return open_ones.exclude(state=Of.UNKNOWN).exclude(is_away)


def _next(row: FirmwareRollout) -> None:
    following = Upgrade.objects.filter(rollout=row, state=Of.WAITING).order_by("wave").first()
    if following is not None:
        _release(row, following.wave)
        return
    row.state, row.ended = State.DONE, timezone.now()
    row.save()
    publish_rollout(row)


def _halt(row: FirmwareRollout, found: Health) -> None:
    reason = (
        f"{found.failure_percent} % of the devices are not well, {row.allowed} % are allowed: "
        f"{found}"
    )
    _close(row, State.HALTED, reason, Of.LEFT)


def _close(
    row: FirmwareRollout, state: FirmwareRollout.State, reason: str, of_rest: Upgrade.State
) -> None:
    """End a rollout; devices that were not told to flash keep what they have."""
    now = timezone.now()
    row.state, row.reason, row.ended = state, reason, now
    row.save()
    rest = Upgrade.objects.filter(
        rollout=row, sent=None, state__in=(Of.WAITING, *Upgrade.BEFORE)
    )
    rest.update(state=of_rest, reason=reason, log=line(reason), ended=now, modified=now, **FREE)
    publish_rollout(row)


@transaction.atomic
def pause(rollout: FirmwareRollout) -> FirmwareRollout:
    """Start no further devices; those that were told to flash are looked after."""
    row = _locked(rollout.pk)
    if row.state != State.RUNNING:
        raise Conflict("It is not running.")
    row.state = State.PAUSED
    row.save()
    publish_rollout(row)
    return row


@transaction.atomic
def resume(rollout: FirmwareRollout) -> FirmwareRollout:
    """Resume a paused rollout; the current wave starts its waiting time again."""
    row = _locked(rollout.pk)
    if row.state != State.PAUSED:
        raise Conflict("It is not paused.")
    row.state, row.wave_started = State.RUNNING, timezone.now()
    row.save()
    enqueue_on_commit(RUN)
    publish_rollout(row)
    return row


@transaction.atomic
def stop(rollout: FirmwareRollout) -> FirmwareRollout:
    """Stop a rollout for good; devices that were told to flash are looked after."""
    row = _locked(rollout.pk)
    if row.state not in FirmwareRollout.ACTIVE:
        raise Conflict("It is not under way.")
    _close(row, State.STOPPED, "Stopped by a user.", Of.CANCELLED)
    return row


def discard(rollout: FirmwareRollout) -> None:
    """Delete a draft or an ended rollout with its history; raise Conflict otherwise."""
    if rollout.state in FirmwareRollout.ACTIVE:
        raise Conflict("It is under way: stop it first.")
    if Upgrade.objects.filter(rollout=rollout, state__in=Upgrade.OPEN).exists():
        raise Conflict("Some of its devices were told to flash and have not come back.")
    rollout.delete()


def health(row: FirmwareRollout) -> Health:
    counted: Any = Upgrade.objects.filter(rollout=row).aggregate(
        total=Count("pk"),
        reached=Count("pk", filter=Q(released__isnull=False) & ~Q(state=Of.LEFT)),
        confirmed=Count("pk", filter=Q(state=Of.CONFIRMED)),
        failed=Count("pk", filter=Q(state__in=(Of.FAILED, Of.ABORTED))),
        unknown=Count("pk", filter=Q(state=Of.UNKNOWN)),
        left=Count("pk", filter=Q(state=Of.LEFT)),
    )
    return Health(**counted)


def by_wave(row: FirmwareRollout) -> list[dict[str, Any]]:
    """Return for each wave the number of its devices in each state."""
    rows = Upgrade.objects.filter(rollout=row).order_by("wave")
    found: dict[int, dict[str, Any]] = {}
    for wave, state, count in rows.values_list("wave", "state").annotate(Count("pk")):
        counts = found.setdefault(wave, {"wave": wave, "total": 0})
        counts[state] = count
        counts["total"] += count
    return list(found.values())


def _locked(pk: UUID) -> FirmwareRollout:
    row: FirmwareRollout = (
        FirmwareRollout.objects.select_for_update(of=("self",))
        .select_related("build__category", "group", "location")
        .get(pk=pk)
    )
    return row
