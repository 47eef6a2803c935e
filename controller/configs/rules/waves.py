"""Waves of rollouts, the same for every cargo: gates, pauses, halts and the end.

A cargo says what the kinds differ in: the devices of a wave, how they are, and what happens
at the end or when too many are not well.
"""

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Generic, TypeVar
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.errors import Conflict
from controller.base.leases import for_each
from controller.configs.models.waves import WaveRollout

State = WaveRollout.State
Row = TypeVar("Row", bound=WaveRollout)


class Cargo(ABC, Generic[Row]):
    """What rollouts of one kind carry; each function works on a locked row."""

    model: type[Row]

    @abstractmethod
    def publish(self, row: Row) -> None:
        """Tell pages and people of a new state."""

    @abstractmethod
    def release(self, row: Row) -> None:
        """Let the devices up to the row's wave begin."""

    @abstractmethod
    def bad_percent(self, row: Row, *, is_over: bool) -> tuple[int, str]:
        """Return the share of reached devices that are not well, and a sentence about them.

        ``is_over`` says that the wave's time has passed.
        """

    @abstractmethod
    def is_under_way(self, row: Row) -> bool:
        """Return whether a device of the wave still lacks its outcome."""

    @abstractmethod
    def following(self, row: Row) -> int | None:
        """Return the next wave with devices; None after the last."""

    @abstractmethod
    def finish(self, row: Row) -> None:
        """Do what follows after the last wave."""

    @abstractmethod
    def give_up(self, row: Row) -> None:
        """Leave or take back the devices after a halt or a stop."""

    def begin_step(self, row: Row) -> None:
        """Do what comes before each look at a running rollout."""

    def waits_after_last(self) -> bool:
        """Return whether the last wave has its pause as well."""
        return True

    def locked(self, pk: UUID) -> Row:
        row: Row = self.model._default_manager.select_for_update(of=("self",)).get(pk=pk)
        return row


def start(cargo: Cargo[Row], row: Row) -> Row:
    """Release the first wave of a locked draft, whose devices have their waves."""
    row.state, row.started = State.RUNNING, timezone.now()
    return release(cargo, row, 0)


def release(cargo: Cargo[Row], row: Row, wave: int) -> Row:
    row.wave, row.wave_started = wave, timezone.now()
    row.save()
    cargo.release(row)
    cargo.publish(row)
    return row


@transaction.atomic
def pause(cargo: Cargo[Row], rollout: Row) -> Row:
    """Release no further devices; those that were reached go on."""
    row = cargo.locked(rollout.pk)
    if row.state != State.RUNNING:
        raise Conflict(gettext("It is not running."))
    row.state = State.PAUSED
    row.save()
    cargo.publish(row)
    return row


@transaction.atomic
def resume(cargo: Cargo[Row], rollout: Row) -> Row:
    """Resume a paused rollout; the current wave starts its waiting time again."""
    row = cargo.locked(rollout.pk)
    if row.state != State.PAUSED:
        raise Conflict(gettext("It is not paused."))
    row.state = State.RUNNING
    return release(cargo, row, row.wave)


@transaction.atomic
def stop(cargo: Cargo[Row], rollout: Row, state: str, reason: str) -> Row:
    """End an active rollout by hand."""
    row = cargo.locked(rollout.pk)
    if not row.is_active:
        raise Conflict(gettext("It is not under way."))
    return close(cargo, row, state, reason)


def close(cargo: Cargo[Row], row: Row, state: str, reason: str) -> Row:
    row.state, row.reason, row.ended = state, reason, timezone.now()
    row.save()
    cargo.give_up(row)
    cargo.publish(row)
    return row


def advance_all(cargo: Cargo[Row]) -> None:
    """Advance every running rollout; one that fails does not stop the others."""
    rows = cargo.model._default_manager.filter(state=State.RUNNING)
    running = list(rows.values_list("pk", flat=True))
    for_each(running, lambda pk: advance(cargo, pk), name=f"{cargo.model._meta.label}.waves")


@transaction.atomic
def advance(cargo: Cargo[Row], pk: UUID) -> Row:
    """Halt on too many failures; otherwise release the next wave, or finish."""
    row = cargo.locked(pk)
    if row.state != State.RUNNING or row.wave_started is None:
        return row
    cargo.begin_step(row)
    following = cargo.following(row)
    has_waited = following is None and not cargo.waits_after_last()
    has_waited = has_waited or timezone.now() >= row.wave_started + timedelta(seconds=row.pause)
    is_over = has_waited and not cargo.is_under_way(row)
    bad, text = cargo.bad_percent(row, is_over=is_over)
    if bad > row.allowed:
        reason = f"{bad} % of the devices are not well, {row.allowed} % are allowed: {text}"
        return close(cargo, row, State.HALTED, reason)
    if not is_over:
        return row
    if following is not None:
        return release(cargo, row, following)
    row.state, row.ended = State.DONE, timezone.now()
    row.save()
    cargo.finish(row)
    cargo.publish(row)
    return row


def percent(bad: int, counted: int) -> int:
    """Return a share in percent, rounded up so that one failure is never nothing."""
    return -(-100 * bad // counted) if counted else 0
