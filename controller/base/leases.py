"""Leases: which worker works on which row, and what another one may do when that worker dies.

A row waits until it is due. A worker leases it for seconds and renews the lease while the work
goes on. Just before anything leaves the portal the row is marked *sent*. So a row whose lease
has run out tells what may have happened: one that was not sent goes back into its queue, one
that was sent goes to the queue's verifier, which asks the device before anything is repeated.
Every write of a worker names the lease it holds, so a worker that stalled longer than its lease
changes nothing any more.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import uuid4

from django.db import models, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from controller.base.counters import count

log = logging.getLogger(__name__)

EXPIRED = "muster_leases_expired_total"
FAILURES = "muster_task_row_failures_total"
# Renewed when this part of the lease is over, so that one late renewal loses nothing.
RENEW_PART = 3
MOST_DOUBLINGS = 16
FREE: Mapping[str, Any] = {"lease_holder": None, "leased_until": None}


class Leased(models.Model):
    """A row that workers lease."""

    # With defaults of the database, so that a portal of the version before can add rows while
    # an upgrade is under way.
    not_before = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)
    attempts = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    lease_holder = models.UUIDField(null=True, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)
    # Set before anything leaves the portal, and cleared when it is known that nothing happened.
    sent = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True


def lease_index(name: str) -> models.Index:
    """Return the index by which leases that ran out are found."""
    return models.Index(
        fields=["leased_until"], name=name, condition=Q(leased_until__isnull=False)
    )


Row = TypeVar("Row", bound=Leased)


@dataclass(frozen=True)
class LeaseQueue(Generic[Row]):
    """How the rows of one table are leased."""

    name: str
    """The label of the queue in metrics and logs."""
    model: type[Row]
    waits: Q
    """Which rows have work left, leased or not."""
    leased: Mapping[str, Any] = field(default_factory=dict)
    """Further columns that a lease sets."""
    waiting: Mapping[str, Any] = field(default_factory=dict)
    """Further columns that are set when a row goes back into the queue."""
    seconds: float = 30.0
    """How long a lease is good unless it is renewed."""
    shortest_pause: float = 2.0
    longest_pause: float = 300.0

    def __post_init__(self) -> None:
        QUEUES[self.name] = self

    @property
    def rows(self) -> QuerySet[Row]:
        return self.model._default_manager.all()

    def due(self, now: datetime | None = None) -> QuerySet[Row]:
        """Return the rows that a worker may lease now: due, not leased, nothing of them sent."""
        return self.rows.filter(
            self.waits, not_before__lte=now or timezone.now(), leased_until=None, sent=None
        )

    def expired(self, now: datetime | None = None) -> QuerySet[Row]:
        """Return the rows whose worker has not renewed its lease in time."""
        return self.rows.filter(leased_until__lt=now or timezone.now())

    def doubtful(self, now: datetime | None = None) -> QuerySet[Row]:
        """Return the rows for the verifier: sent, and no worker knows how that ended."""
        now = now or timezone.now()
        asked_later = Q(self.waits, leased_until=None, not_before__lte=now)
        return self.rows.filter(Q(leased_until__lt=now) | asked_later, sent__isnull=False)

    def pause(self, attempts: int) -> timedelta:
        """Return the pause after so many attempts: doubling from the shortest to the longest."""
        doublings = min(max(attempts - 1, 0), MOST_DOUBLINGS)
        return timedelta(seconds=min(self.shortest_pause * 2**doublings, self.longest_pause))

    @transaction.atomic
    def put_back(self, limit: int = 500) -> int:
        """Return rows of lost workers to the queue where nothing was sent; the number of them."""
        now = timezone.now()
        rows = list(locked(self.expired(now).filter(sent=None).order_by("pk"))[:limit])
        for row in rows:
            row.not_before = now + self.pause(row.attempts)
            assign(row, {**FREE, **self.waiting})
        self.model._default_manager.bulk_update(
            rows, ["not_before", *FREE, *self.waiting], batch_size=200
        )
        count(EXPIRED, self.name, len(rows))
        if rows:
            log.warning(
                "%d leases of %s ran out before anything was sent", len(rows), self.name
            )
        return len(rows)

    def oldest(self, now: datetime | None = None) -> float:
        """Return for how many seconds the oldest due row has waited; 0 if none is due."""
        now = now or timezone.now()
        first = self.due(now).order_by().aggregate(first=models.Min("not_before"))["first"]
        return (now - first).total_seconds() if first else 0.0


QUEUES: dict[str, LeaseQueue[Any]] = {}


class LeaseHolder(Generic[Row]):
    """What one worker has leased of one queue."""

    def __init__(self, queue: LeaseQueue[Row]) -> None:
        self.queue, self.id = queue, uuid4()
        self.renewed = time.monotonic()

    @property
    def mine(self) -> QuerySet[Row]:
        return self.queue.rows.filter(lease_holder=self.id)

    def lease(self, limit: int, rows: QuerySet[Row] | None = None) -> list[Row]:
        """Lease up to ``limit`` due rows, of ``rows`` if given, the longest waiting first."""
        now = timezone.now()
        return self._take(self.queue.due(now), limit, rows, now)

    def adopt(self, limit: int, rows: QuerySet[Row] | None = None) -> list[Row]:
        """Lease up to ``limit`` rows that may have been carried out, to verify them."""
        now = timezone.now()
        return self._take(self.queue.doubtful(now), limit, rows, now)

    @transaction.atomic
    def _take(
        self, due: QuerySet[Row], limit: int, rows: QuerySet[Row] | None, now: datetime
    ) -> list[Row]:
        if rows is not None:
            due = rows & due
        taken = list(locked(due.order_by("not_before", "pk"))[:limit])
        late = sum(row.leased_until is not None for row in taken)
        for row in taken:
            row.attempts += 1
            assign(row, self._held(now))
        fields = ["attempts", *self._held(now)]
        self.queue.model._default_manager.bulk_update(taken, fields, batch_size=200)
        count(EXPIRED, self.queue.name, late)
        return taken

    def _held(self, now: datetime) -> dict[str, Any]:
        return {
            "lease_holder": self.id,
            "leased_until": now + timedelta(seconds=self.queue.seconds),
            **self.queue.leased,
        }

    def renew(self) -> int:
        """Renew all leases that are still held. Returns their number."""
        self.renewed = time.monotonic()
        until = timezone.now() + timedelta(seconds=self.queue.seconds)
        return self.mine.filter(leased_until__isnull=False).update(leased_until=until)

    def renew_if_due(self) -> None:
        """Renew the leases when a third of their time is over; call it often."""
        if time.monotonic() - self.renewed > self.queue.seconds / RENEW_PART:
            self.renew()

    def mark_sent(self, *pks: Any) -> int:
        """Record that these rows are about to leave the portal. Returns how many of them may.

        The mark renews the lease. What is not on its way when the lease ends must not be sent
        any more: the time limit of the driver is shorter than the lease, or renewed with it.
        """
        now = timezone.now()
        return self.mine.filter(pk__in=pks, leased_until__gte=now).update(
            sent=now, leased_until=now + timedelta(seconds=self.queue.seconds)
        )

    def end(self, row: Row, **values: Any) -> bool:
        """Write the end of a row. Returns False if another worker has it by now."""
        return self._write(row, {**FREE, **values})

    def retry(self, row: Row, **values: Any) -> bool:
        """Put a row back for a further attempt after a growing pause: nothing was done."""
        again = timezone.now() + self.queue.pause(row.attempts)
        back = {**FREE, **self.queue.waiting, "sent": None, "not_before": again}
        return self._write(row, back | values)

    def verify_later(self, row: Row, **values: Any) -> bool:
        """Put a row back whose outcome is still unknown; the verifier asks again."""
        again = timezone.now() + self.queue.pause(row.attempts)
        return self._write(row, {**FREE, **self.queue.waiting, "not_before": again, **values})

    def _write(self, row: Row, values: Mapping[str, Any]) -> bool:
        if not self.mine.filter(pk=row.pk).update(**values):
            log.warning("%s %s was taken over by another worker", self.queue.name, row.pk)
            return False
        assign(row, values)
        return True


def locked(rows: QuerySet[Row]) -> QuerySet[Row]:
    return rows.select_for_update(skip_locked=True, of=("self",))


def assign(row: models.Model, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


Item = TypeVar("Item")


def for_each(items: Iterable[Item], do: Callable[[Item], object], *, name: str) -> int:
    """Do something for each item. One that fails is logged and counted, and stops no other.

    Returns the number of items for which it succeeded.
    """
    done = 0
    for item in items:
        try:
            do(item)
        except Exception:
            log.exception("%s failed for %s", name, item)
            count(FAILURES, name)
        else:
            done += 1
    return done
