"""Beat, after a clock that was wrong."""

from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from controller.accounts.models import AuditEntry, Organization
from controller.beat import RENEW_SECONDS, BeatLease, Scheduler
from controller.beat_schedule import timetable
from controller.celery import app
from controller.connections.models import Command
from controller.due_work import ANYWAY_EVERY, HAS_WORK
from tests import factories


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


def sent(made: Scheduler, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run all tasks once, and return those for which beat sent a message."""
    found: list[str] = []
    monkeypatch.setattr(made, "apply_async", lambda entry, **_: found.append(entry.task))
    for entry in list(made.schedule.values()):
        made.apply_entry(made.reserve(entry))
    return found


@pytest.mark.django_db
def test_no_message_is_sent_for_queues_without_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, organization: Organization
) -> None:
    made = scheduler(tmp_path)
    AuditEntry.objects.all().delete()
    assert HAS_WORK.keys() <= {one["task"] for one in app.conf.beat_schedule.values()}
    assert not HAS_WORK.keys() & set(sent(made, monkeypatch))
    Command.objects.create(device=factories.device(organization), type="reboot")
    assert "controller.connections.tasks.run_commands" in sent(made, monkeypatch)
    # Now and then each is sent anyway.
    everything = {task for _ in range(ANYWAY_EVERY) for task in sent(made, monkeypatch)}
    assert everything >= {one["task"] for one in app.conf.beat_schedule.values()}
    made.close()


def test_of_several_beats_one_sends_and_another_takes_over(tmp_path: Path) -> None:
    one, other = BeatLease(), BeatLease()
    assert one.hold()
    assert not other.hold()
    assert one.hold()
    one.release()
    assert other.hold()
    one.renewed = 0.0
    assert not one.hold()
    # Releasing what another one holds changes nothing.
    one.release()
    other.renewed = 0.0
    assert other.hold()


def test_a_beat_without_the_lease_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = scheduler(tmp_path)
    monkeypatch.setattr(made, "apply_entry", lambda *_, **__: pytest.fail("a message was sent"))
    holder = BeatLease()
    assert holder.hold()
    assert made.tick() == RENEW_SECONDS
    made.close()
    assert not BeatLease().hold()
