"""Celery's beat, which runs on several machines and survives a clock that was wrong."""

import logging
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

from celery.beat import PersistentScheduler, ScheduleEntry
from redis.exceptions import RedisError

from controller.base.redis import quick_client

log = logging.getLogger(__name__)

# What the clock may have been corrected by without anybody noticing.
TOLERANCE = timedelta(seconds=2)
LONGEST_PERIOD = timedelta(days=1)

LEASE = "muster:beat-lease"
# The lease is renewed every few seconds. When its holder dies, another beat takes over.
LEASE_SECONDS = 8
RENEW_SECONDS = 2.0
# Renews the lease, or takes it if nobody holds it. Returns whether it is held.
HOLD = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""
RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class BeatLease:
    """Lease of the only beat that sends messages, of those that run."""

    def __init__(self) -> None:
        self.holder = uuid4().hex
        self.renewed = -RENEW_SECONDS

    def hold(self) -> bool:
        """Return whether this beat holds the lease. Without Redis there is nobody to send to."""
        if time.monotonic() - self.renewed < RENEW_SECONDS:
            return True
        try:
            held = bool(quick_client().eval(HOLD, 1, LEASE, self.holder, str(LEASE_SECONDS)))
        except (RedisError, OSError) as error:
            log.warning("Redis is away, beat waits: %s", error)
            return False
        if held:
            self.renewed = time.monotonic()
        return held

    def release(self) -> None:
        """Let another beat take over at once."""
        try:
            quick_client().eval(RELEASE, 1, LEASE, self.holder)
        except (RedisError, OSError) as error:
            log.warning("Redis is away, the lease of beat ends by itself: %s", error)


class Scheduler(PersistentScheduler):
    """Sends what has work, and treats tasks whose last run lies in the future as due.

    Celery waits until the clock has caught up with the last run. A clock that was a day ahead
    (before its first synchronization, or of a resumed virtual machine) would stop all periodic
    tasks for a day.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.lease = BeatLease()
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        super().setup_schedule()
        self.forget_future_runs()

    def close(self) -> None:
        super().close()
        self.lease.release()

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        if not self.lease.hold():
            return RENEW_SECONDS
        if self.forget_future_runs():
            self._heap = None
        return super().tick(*args, **kwargs)

    def schedules_equal(self, old: Any, new: Any) -> bool:
        """Return whether the schedule is the one of the last tick: it never changes later.

        Celery compares all entries each time, which was a third of the work of beat.
        """
        return old is not None and len(old) == len(new)

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        # Imported here: Celery imports this module before Django's apps are ready.
        from controller.due_work import is_needed

        if is_needed(str(entry.task), entry.total_run_count):
            super().apply_entry(entry, producer)

    def forget_future_runs(self) -> int:
        """Make tasks due whose last run lies in the future. Returns their number."""
        now = self.app.now()
        late = [
            entry
            for entry in self.schedule.values()
            if entry.last_run_at is not None and entry.last_run_at > now + TOLERANCE
        ]
        for entry in late:
            entry.last_run_at = now - LONGEST_PERIOD
        if late:
            log.warning("The clock was set back: %d periodic tasks are due again", len(late))
        return len(late)
