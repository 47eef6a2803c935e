"""Leases of queue rows, and recovery when the worker holding one dies.

A row waits until it is due. A worker leases the row for seconds and renews the lease while
the
work goes on. Just before anything leaves the portal the row is marked *sent*. So the state
of a
row with an expired lease shows what may have happened: an unsent row returns to its queue,
a
sent row goes to the queue's verifier, which asks the device before anything is repeated.
Every
write of a worker is conditional on its lease, so a worker that stalled longer than its
lease
changes nothing.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Generic, TypeVar
from uuid import uuid4

from django.db import DatabaseError, connections, models, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from controller.base.compiled_queries import CompiledQuery
from controller.base.counters import count

log = logging.getLogger(__name__)

EXPIRED = "muster_leases_expired_total"
FAILURES = "muster_task_row_failures_total"
# Renewed after this fraction of the lease, so that one late renewal does not lose the lease.
RENEW_PART = 3
MOST_DOUBLINGS = 16
FREE: Mapping[str, Any] = {"lease_holder": None, "leased_until": None}


class Leased(models.Model):
    """Row that workers lease."""

    # With database defaults, so that the previous version of the portal can insert rows during
    # an
    # upgrade.
    not_before = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)
    attempts = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    lease_holder = models.UUIDField(null=True, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)
    # Set before anything leaves the portal, cleared once it is known that nothing happened.
    sent = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True


def lease_index(name: str) -> models.Index:
    """Return the index used to find expired leases."""
    return models.Index(
        fields=["leased_until"], name=name, condition=Q(leased_until__isnull=False)
    )


Row = TypeVar("Row", bound=Leased)


@dataclass(frozen=True)
class LeaseQueue(Generic[Row]):
    """Configuration of the queue of one table."""

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
        """Return the rows that may be leased now: due, not leased and not sent."""
        return self.rows.filter(
            self.waits, not_before__lte=now or timezone.now(), leased_until=None, sent=None
        )

    @cached_property
    def _work(self) -> CompiledQuery:
        return CompiledQuery(
            lambda now: (
                self.rows.filter(
                    Q(leased_until__lt=now)
                    | Q(self.waits, leased_until=None, not_before__lte=now)
                )
                .order_by()
                .values_list("pk")[:1]
            ),
            now=models.DateTimeField(),
        )

    def has_work(self) -> bool:
        """Return whether a row is due, doubtful or has an expired lease."""
        return bool(self._work(now=timezone.now()))

    def expired(self, now: datetime | None = None) -> QuerySet[Row]:
        """Return the rows whose lease has expired."""
        return self.rows.filter(leased_until__lt=now or timezone.now())

    def doubtful(self, now: datetime | None = None) -> QuerySet[Row]:
        """Return the rows to be verified: sent, with unknown outcome."""
        now = now or timezone.now()
        asked_later = Q(self.waits, leased_until=None, not_before__lte=now)
        return self.rows.filter(Q(leased_until__lt=now) | asked_later, sent__isnull=False)

    def pause(self, attempts: int) -> timedelta:
        """Return the pause after this many attempts: doubling between the two limits."""
        doublings = min(max(attempts - 1, 0), MOST_DOUBLINGS)
        return timedelta(seconds=min(self.shortest_pause * 2**doublings, self.longest_pause))

    @transaction.atomic
    def put_back(self, limit: int = 500) -> int:
        """Return unsent rows with an expired lease to the queue. Returns their number."""
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
        """Return the waiting time of the oldest due row in seconds; 0 if none is due."""
        now = now or timezone.now()
        first = self.due(now).order_by().aggregate(first=models.Min("not_before"))["first"]
        return (now - first).total_seconds() if first else 0.0


QUEUES: dict[str, LeaseQueue[Any]] = {}


class LeaseHolder(Generic[Row]):
    """Leases of one worker in one queue."""

    def __init__(self, queue: LeaseQueue[Row]) -> None:
        self.queue, self.id = queue, uuid4()
        self.renewed = time.monotonic()

    @property
    def mine(self) -> QuerySet[Row]:
        return self.queue.rows.filter(lease_holder=self.id)

    def lease(self, limit: int, rows: QuerySet[Row] | None = None) -> list[Row]:
        """Lease up to ``limit`` due rows, longest waiting first.

        ``rows`` restricts and prepares the queryset.
        """
        now = timezone.now()
        return self._take(self.queue.due(now), limit, rows, now)

    def adopt(self, limit: int, rows: QuerySet[Row] | None = None) -> list[Row]:
        """Lease up to ``limit`` rows with unknown outcome, in order to verify them."""
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

    def held(self, pks: Iterable[Any]) -> set[Any]:
        """Return those of these ids whose leases are still this worker's."""
        return set(self.mine.filter(pk__in=list(pks)).values_list("pk", flat=True))

    def renew(self) -> int:
        """Renew all leases that are still held. Returns their number."""
        self.renewed = time.monotonic()
        until = timezone.now() + timedelta(seconds=self.queue.seconds)
        return self.mine.filter(leased_until__isnull=False).update(leased_until=until)

    def renew_if_due(self) -> None:
        """Renew the leases once a third of their duration has passed; call it often."""
        if time.monotonic() - self.renewed > self.queue.seconds / RENEW_PART:
            self.renew()

    def mark_sent(self, *pks: Any) -> int:
        """Mark these rows as sent. Returns how many of them may be sent.

        The mark renews the lease. Nothing may be sent after the lease has ended: the
        driver's timeout is
        shorter than the lease, or the lease is renewed meanwhile.
        """
        now = timezone.now()
        return self.mine.filter(pk__in=pks, leased_until__gte=now).update(
            sent=now, leased_until=now + timedelta(seconds=self.queue.seconds)
        )

    def end(self, row: Row, **values: Any) -> bool:
        """Write the final state of a row. Returns False if another worker now has the row."""
        return self._write(row, {**FREE, **values})

    def retry(self, row: Row, **values: Any) -> bool:
        """Return a row to the queue after a growing pause; nothing was done.

        Returns False if another worker has the row by now.
        """
        again = timezone.now() + self.queue.pause(row.attempts)
        back = {**FREE, **self.queue.waiting, "sent": None, "not_before": again}
        return self._write(row, back | values)

    def verify_later(self, row: Row, **values: Any) -> bool:
        """Return a row with unknown outcome to the queue; the verifier asks again later.

        Returns False if another worker has the row by now.
        """
        again = timezone.now() + self.queue.pause(row.attempts)
        return self._write(row, {**FREE, **self.queue.waiting, "not_before": again, **values})

    def _write(self, row: Row, values: Mapping[str, Any]) -> bool:
        if not self.mine.filter(pk=row.pk).update(**values):
            log.warning("%s %s was taken over by another worker", self.queue.name, row.pk)
            return False
        assign(row, values)
        return True


@contextmanager
def keep_renewing(
    renew: Callable[[], object], *, every: float, at_most: float
) -> Iterator[None]:
    """Call ``renew`` from a thread every so many seconds while the block runs.

    For work that waits in calls of its own and cannot renew between them. After ``at_most``
    seconds nothing is renewed any more: the block has stalled.
    """
    is_over = threading.Event()

    def run() -> None:
        end = time.monotonic() + at_most
        try:
            while not is_over.wait(every) and time.monotonic() < end:
                renew()
        except DatabaseError:
            log.exception("A lease could not be renewed")
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, name="leases", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def locked(rows: QuerySet[Row]) -> QuerySet[Row]:
    return rows.select_for_update(skip_locked=True, of=("self",))


def assign(row: models.Model, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


Item = TypeVar("Item")


def for_each(items: Iterable[Item], do: Callable[[Item], object], *, name: str) -> int:
    """Call `do` for each item; failures are logged and counted and do not stop the others.

    Returns the number of successful calls.
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
