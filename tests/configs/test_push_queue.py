"""Pushes to offline devices, and pushes of lost workers, over real SSH."""

import asyncio
import os
import signal
from datetime import timedelta
from multiprocessing import get_context
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from controller.base.leases import LeaseHolder
from controller.configs.models import PUSHES, Config, Push
from controller.configs.rules import devices, push_worker
from controller.configs.rules.push_queue import lease_due, reconcile
from controller.configs.rules.rendering import render_stale
from controller.devices.models import Device
from tests import factories
from tests.fleet.ports import free_port
from tests.fleet.ssh import SshDevice


@pytest.fixture
def host(tmp_path: Any) -> Any:
    with SshDevice(tmp_path / "host") as device:
        yield device


def a_device(organization: Any, host: Any, *, port: int) -> Device:
    row = factories.device(
        organization, name="roof", config={"config": factories.a_file("hello\n")},
        management_ip=host.host,
    )  # fmt: skip
    credentials = factories.credentials(
        organization, params={"username": host.username, "key": host.private_key}
    )
    factories.connection(row, credentials, port=port)
    reconcile()
    return row


@pytest.fixture
def away(organization: Any, host: Any) -> Push:
    """Return a push to a device with a closed SSH port."""
    a_device(organization, host, port=free_port())
    return Push.objects.get()


def test_a_device_that_is_away_is_tried_after_growing_pauses(away: Push) -> None:
    pauses = []
    for attempt in range(1, 5):
        assert push_worker.deliver() == 1
        # Neither the same task nor the periodic one retries at once.
        reconcile()
        assert push_worker.deliver() == 0
        away.refresh_from_db()
        assert (away.attempts, away.state, away.sent) == (attempt, "queued", None)
        pauses.append((away.not_before - timezone.now()).total_seconds())
        Push.objects.update(not_before=timezone.now())
    assert pauses[0] > 0
    assert pauses == sorted(pauses)
    assert pauses[-1] > 2 * pauses[0]


def test_a_change_is_tried_at_once_although_the_device_was_away(away: Push) -> None:
    push_worker.deliver()
    devices.update_device(Device.objects.get(), config={"config": factories.a_file("new\n")})
    render_stale()
    assert push_worker.deliver() == 1
    away.refresh_from_db()
    assert away.attempts == 2


def lose_worker() -> None:
    Push.objects.update(leased_until=timezone.now() - timedelta(seconds=1))


def test_what_a_lost_worker_had_not_sent_waits_in_the_queue(
    organization: Any, host: Any
) -> None:
    a_device(organization, host, port=host.port)
    (row,) = lease_due(LeaseHolder(PUSHES))
    lose_worker()
    assert push_worker.deliver() == 0
    reconcile()
    Push.objects.update(not_before=timezone.now())
    push_worker.deliver()
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("applied", 2)


def test_what_a_lost_worker_had_sent_is_asked_for_and_not_done_again(
    organization: Any, host: Any
) -> None:
    a_device(organization, host, port=host.port)
    push_worker.deliver()
    applied = (host.root / "etc/motd").stat().st_ctime_ns
    Config.objects.update(applied=None)
    Push.objects.update(
        state="applying", ended=None, sent=timezone.now(), lease_holder=LeaseHolder(PUSHES).id
    )
    lose_worker()
    assert push_worker.deliver() == 1
    assert Push.objects.get().state == "applied"
    assert Config.objects.get().status == "applied"
    assert (host.root / "etc/motd").stat().st_ctime_ns == applied


def test_what_never_arrived_is_pushed_once_the_device_has_said_so(
    organization: Any, host: Any
) -> None:
    a_device(organization, host, port=host.port)
    holder = LeaseHolder(PUSHES)
    (row,) = lease_due(holder)
    assert holder.mark_sent(row.pk)
    lose_worker()
    # The device is queried first and then pushed to, in the same run.
    assert push_worker.deliver() == 2
    row.refresh_from_db()
    assert row.state == "applied"


def test_a_worker_whose_lease_ran_out_sends_nothing(organization: Any, host: Any) -> None:
    a_device(organization, host, port=host.port)
    batch = push_worker.PushBatch()
    (row,) = lease_due(batch.holder)
    lose_worker()
    assert not batch.holder.mark_sent(row.pk)


class Dying(push_worker.PushBatch):
    """The pushes of a worker that the kernel kills at some step."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step

    def die(self, step: str) -> None:
        if step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)

    async def may_send(self, push_id: str) -> bool:
        self.die("connected")
        marked = await super().may_send(push_id)
        self.die("marked")
        return marked

    async def on_result(self, result: Any) -> None:
        self.die("confirmed")


def work_and_die(step: str) -> None:
    batch = Dying(step)
    batch.add(lease_due(batch.holder))

    async def turn() -> None:
        await asyncio.gather(*batch.start())

    asyncio.run(turn())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["connected", "marked", "confirmed"])
def test_a_worker_that_is_killed_costs_time_and_never_a_change(
    step: str, organization: Any, host: Any
) -> None:
    a_device(organization, host, port=host.port)
    connections.close_all()
    worker = get_context("fork").Process(target=work_and_die, args=(step,))
    worker.start()
    worker.join(60)
    assert worker.exitcode == -signal.SIGKILL
    held = host.root / "etc/motd"
    written = held.stat().st_ctime_ns if held.exists() else 0
    assert bool(written) == (step == "confirmed")
    push = Push.objects.get()
    assert (push.state, push.sent is None) == ("applying", step == "connected")
    lose_worker()
    for _ in range(3):
        reconcile()
        Push.objects.update(not_before=timezone.now())
        push_worker.deliver()
    push.refresh_from_db()
    assert push.state == "applied"
    assert held.read_text() == "hello\n"
    if written:
        assert held.stat().st_ctime_ns == written, "it was pushed twice"
