"""Celery's beat, which survives a clock that was wrong."""

import logging
from datetime import timedelta
from typing import Any

from celery.beat import PersistentScheduler, ScheduleEntry

log = logging.getLogger(__name__)

# What the clock may have been corrected by without anybody noticing.
TOLERANCE = timedelta(seconds=2)
LONGEST_PERIOD = timedelta(days=1)


class Scheduler(PersistentScheduler):
    """Sends what has work, and treats tasks whose last run lies in the future as due.

    Celery waits until the clock has caught up with the last run. A clock that was a day ahead
    (before its first synchronization, or of a resumed virtual machine) would stop all periodic
    tasks for a day.
    """

    def setup_schedule(self) -> None:
        super().setup_schedule()
        self.forget_future_runs()

    def tick(self, *args: Any, **kwargs: Any) -> Any:
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
