"""Rollouts of builds in waves: included and excluded devices, gates, pauses, halts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import Organization, User
from controller.accounts.rules.audit import record_audit
from controller.base.errors import Conflict, Refused
from controller.base.leases import FREE, for_each
from controller.celery import enqueue_on_commit
from controller.configs.engine.waves import assign_waves
from controller.configs.rules import waves
from controller.connections.models import DeviceConnection
from controller.devices.models import Device, DeviceGroup
from controller.firmware.engine.options import parse
from controller.firmware.models import (
    Build,
    DeviceFirmware,
    FirmwareRollout,
    ImageBoard,
    Packages,
    Upgrade,
)
from controller.firmware.rules import package_upgrades as package_rules
from controller.firmware.rules.approvals import check_approved, is_needed
from controller.firmware.rules.image_matching import Match, match_devices, with_systems
from controller.firmware.rules.policies import check_switches
from controller.firmware.rules.upgrades import (
    CLOSED,
    PUT_OFF,
    RUN,
    UNDER_WAY,
    check_options,
    line,
    new_package_upgrade,
    new_upgrade,
    publish_rollout,
    retry,
    tell_ended,
    tell_proposed,
)
from geo.models import Location

State = FirmwareRollout.State
Of = Upgrade.State
NOBODY = "No devices found matching the specified filters."
NO_CONNECTION = "The device has no enabled connection."


@dataclass(frozen=True)
class Health:
    """Number of released devices by outcome."""

    total: int
    reached: int
    confirmed: int
    failed: int
    unknown: int
    unwell: int
    """Installed, but offline since, less healthy than before, or in error."""
    left: int

    @property
    def bad(self) -> int:
        return self.failed + self.unknown + self.unwell

    @property
    def failure_percent(self) -> int:
        """Return the percentage of unhealthy devices among those reached."""
        return waves.percent(self.bad, self.reached)

    def __str__(self) -> str:
        return (
            f"{self.confirmed} confirmed, {self.failed} failed, {self.unknown} unknown, "
            f"{self.unwell} worse than before, "
            f"{self.left} left out, of {self.total}."
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
    """Return a rollout's candidate devices, with images and reasons against them."""
    if row.build is None:
        return [Match(device, None) for device in package_rules.candidates(row)]
    wanted = Q(firmware__in=assigned(row.build, row.group, row.location))
    if row.upgrade_all:
        wanted |= Q(pk__in=unassigned(row.build, row.group, row.location))
    devices = with_systems(Device.objects.filter(wanted).order_by("created", "pk"))
    return match_devices(row.build, devices, parse(row.options))


@transaction.atomic
def create_package_rollout(
    organization: Organization, packages: str, *, author: User | None = None, **values: Any
) -> FirmwareRollout:
    """Create a draft for the Debian hosts of an organization; raise Refused if it has none."""
    row = FirmwareRollout(organization=organization, packages=packages, author=author, **values)
    _check_parts(row, organization)
    if packages not in Packages:
        raise Refused(
            {
                "packages": [
                    gettext("Either %(packages)s is expected.")
                    % {"packages": " or ".join(Packages)}
                ]
            }
        )
    return _save_draft(row, leave_out={"organization", "author", "build"})


def _check_parts(row: FirmwareRollout, owner: Organization) -> None:
    for name in ("group", "location"):
        part = getattr(row, name)
        if part is not None and part.organization_id != owner.pk:
            raise Refused({name: [gettext("It is of another organization than the rollout.")]})


def _save_draft(row: FirmwareRollout, leave_out: set[str]) -> FirmwareRollout:
    row.checked(leave_out=leave_out)
    if not candidates(row):
        raise Refused(NOBODY)
    row.save()
    if is_needed(row):
        tell_proposed(row)
    return row


@transaction.atomic
def create_rollout(
    build: Build, *, author: User | None = None, **values: Any
) -> FirmwareRollout:
    """Create a draft; raise Refused if it would reach no device."""
    options = check_options(values.get("options", {}))
    owner = build.category.organization
    if owner is not None:
        check_switches(options, owner.pk)
    row = FirmwareRollout(build=build, organization=owner, author=author, **values)
    if owner is not None:
        _check_parts(row, owner)
    return _save_draft(row, leave_out={"organization", "author"})


@transaction.atomic
def start(rollout: FirmwareRollout) -> FirmwareRollout:
    """Distribute the devices over the waves and release the first one."""
    row = CARGO.locked(rollout.pk)
    if not row.is_draft:
        raise Conflict(gettext("It has been started already."))
    check_approved(row)
    found = candidates(row)
    if not found:
        raise Refused(NOBODY)
    Upgrade.objects.bulk_create(_upgrades(row, found), batch_size=200)
    record_audit("firmware.rollout", row, after={"build": row.cargo}, by=row.author)
    return waves.start(CARGO, row)


def _upgrades(row: FirmwareRollout, found: Sequence[Match]) -> list[Upgrade]:
    reachable = set(DeviceConnection.objects.by_ssh().values_list("device_id", flat=True))
    fit = _canaries_first(
        [one for one in found if fits(row, one) and one.device.pk in reachable]
    )
    rows = [
        _upgrade(row, one, state=Of.WAITING, wave=wave)
        for wave, one in assign_waves(row.waves, fit)
    ]
    now = timezone.now()
    chosen = {one.device.pk for one in fit}
    for one in found:
        if one.device.pk not in chosen:
            reason = " ".join(reason.text for reason in one.reasons) or NO_CONNECTION
            left = _upgrade(row, one, state=Of.LEFT, reason=reason, ended=now)
            left.log = line(reason)
            rows.append(left)
    return rows


def fits(row: FirmwareRollout, match: Match) -> bool:
    """Return whether a device will be upgraded, judged by its stored facts."""
    return match.fits if row.build else not match.reasons


def _upgrade(row: FirmwareRollout, match: Match, **values: Any) -> Upgrade:
    of_all = {
        "rollout": row, "author": row.author, "options": row.options,
        "is_persistent": row.is_persistent,
    }  # fmt: skip
    if row.packages:
        return new_package_upgrade(
            match.device, row.packages, may_restart=row.may_restart, **of_all, **values
        )
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


class FirmwareCargo(waves.Cargo[FirmwareRollout]):
    """Images; each device is an upgrade that workers carry out."""

    model = FirmwareRollout

    def locked(self, pk: UUID) -> FirmwareRollout:
        rows = FirmwareRollout.objects.select_for_update(of=("self",))
        row: FirmwareRollout = rows.select_related("build__category", "group", "location").get(
            pk=pk
        )
        return row

    def publish(self, row: FirmwareRollout) -> None:
        publish_rollout(row)

    def release(self, row: FirmwareRollout) -> None:
        now = timezone.now()
        waiting = Upgrade.objects.filter(rollout=row, state=Of.WAITING, wave__lte=row.wave)
        busy = Upgrade.objects.filter(device=OuterRef("device"), state__in=Upgrade.OPEN)
        waiting.filter(Exists(busy)).update(
            state=Of.LEFT, reason=UNDER_WAY, log=line(UNDER_WAY), ended=now, modified=now
        )
        waiting.update(
            state=Of.QUEUED, released=now, not_before=now, modified=now, log=line("Queued.")
        )
        enqueue_on_commit(RUN)

    def bad_percent(self, row: FirmwareRollout, *, is_over: bool) -> tuple[int, str]:
        found = health(row)
        return found.failure_percent, str(found)

    def is_under_way(self, row: FirmwareRollout) -> bool:
        """Return whether a device has neither ended nor is away, or is still watched."""
        mine = Upgrade.objects.filter(rollout=row)
        open_ones = mine.filter(state__in=Upgrade.OPEN).exclude(state=Of.UNKNOWN)
        # A device that waits for its window is not away: later waves wait for it.
        is_away = Q(state=Of.QUEUED, attempts__gt=0, is_persistent=True)
        is_away &= ~Q(reason__in=["", CLOSED, PUT_OFF])
        watched = Q(state=Of.CONFIRMED, watched_until__isnull=False, is_well=None)
        return open_ones.exclude(is_away).exists() or mine.filter(watched).exists()

    def following(self, row: FirmwareRollout) -> int | None:
        waiting = Upgrade.objects.filter(rollout=row, state=Of.WAITING).order_by("wave")
        return waiting.values_list("wave", flat=True).first()

    def waits_after_last(self) -> bool:
        return False

    def finish(self, row: FirmwareRollout) -> None:
        """Notify users once about all unhealthy devices."""
        found = health(row)
        if found.bad:
            tell_ended(row, str(found))

    def give_up(self, row: FirmwareRollout) -> None:
        """Leave devices that were not told to flash as they are."""
        now = timezone.now()
        rest = Upgrade.objects.filter(
            rollout=row, sent=None, state__in=(Of.WAITING, *Upgrade.BEFORE)
        )
        state = Of.CANCELLED if row.state == State.STOPPED else Of.LEFT
        rest.update(
            state=state,
            reason=row.reason,
            log=line(row.reason),
            ended=now,
            modified=now,
            **FREE,
        )


CARGO = FirmwareCargo()
pause = partial(waves.pause, CARGO)
resume = partial(waves.resume, CARGO)
advance = partial(waves.advance, CARGO)
advance_all = partial(waves.advance_all, CARGO)


def stop(rollout: FirmwareRollout) -> FirmwareRollout:
    """Stop a rollout for good; devices that were told to flash are looked after."""
    return waves.stop(CARGO, rollout, State.STOPPED, "Stopped by a user.")


def retryable(rollout: FirmwareRollout) -> QuerySet[Upgrade]:
    """Return the upgrades that wrote nothing and may be retried."""
    rows = Upgrade.objects.filter(rollout=rollout, sent=None)
    rows = rows.exclude(image=None, packages="")
    return rows.filter(state__in=(Of.FAILED, Of.ABORTED))


def retry_failed(rollout: FirmwareRollout, *, author: User) -> int:
    """Queue these upgrades again, each as a new one. Returns their number."""
    return for_each(
        list(retryable(rollout)), lambda row: retry(row, author=author), name="firmware.retry"
    )


def discard(rollout: FirmwareRollout) -> None:
    """Delete a draft or an ended rollout with its history; raise Conflict otherwise."""
    if rollout.state in FirmwareRollout.ACTIVE:
        raise Conflict(gettext("It is under way: stop it first."))
    if Upgrade.objects.filter(rollout=rollout, state__in=Upgrade.OPEN).exists():
        raise Conflict(
            gettext("Some of its devices were told to flash and have not come back.")
        )
    rollout.delete()


def health(row: FirmwareRollout) -> Health:
    counted: Any = Upgrade.objects.filter(rollout=row).aggregate(
        total=Count("pk"),
        reached=Count("pk", filter=Q(released__isnull=False) & ~Q(state=Of.LEFT)),
        confirmed=Count("pk", filter=Q(state=Of.CONFIRMED) & ~Q(is_well=False)),
        unwell=Count("pk", filter=Q(state=Of.CONFIRMED, is_well=False)),
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
