"""Beat, after a clock that was wrong."""

from datetime import timedelta
from pathlib import Path

import time_machine

from controller.beat import Scheduler
from controller.beat_schedule import timetable
from controller.celery import app


def scheduler(folder: Path) -> Scheduler:
    made = Scheduler(app, schedule_filename=str(folder / "beat"), lazy=True)
    made.setup_schedule()
    return made


def due(made: Scheduler) -> set[str]:
    return {name for name, entry in made.schedule.items() if entry.is_due().is_due}


def run_all(made: Scheduler) -> None:
    for entry in made.schedule.values():
        entry.last_run_at = app.now()
    made.sync()


def test_a_clock_that_was_ahead_stops_nothing_after_a_restart(tmp_path: Path) -> None:
    with time_machine.travel(app.now() + timedelta(days=1)):
        made = scheduler(tmp_path)
        run_all(made)
        assert not due(made)
        made.close()
    made = scheduler(tmp_path)
    assert due(made) >= set(app.conf.beat_schedule)
    made.close()


def test_a_clock_that_is_set_back_meanwhile_stops_nothing_either(tmp_path: Path) -> None:
    made = scheduler(tmp_path)
    with time_machine.travel(app.now() + timedelta(days=1)):
        run_all(made)
    assert not due(made)
    assert made.forget_future_runs() >= len(app.conf.beat_schedule)
    assert due(made) >= set(app.conf.beat_schedule)
    made.close()


def test_what_ran_a_moment_ago_is_not_due_after_a_restart(tmp_path: Path) -> None:
    made = scheduler(tmp_path)
    run_all(made)
    made.close()
    made = scheduler(tmp_path)
    assert not due(made)
    made.close()


def test_a_worker_that_is_late_still_finds_what_is_due_every_few_seconds() -> None:
    lines = timetable(poll=2, reconcile=1)
    assert min(one["options"]["expires"] for one in lines.values()) >= 30
