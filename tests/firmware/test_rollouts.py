"""Rollouts of builds: waves, gates, halts, and who is left out."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.base.errors import Conflict
from controller.base.leases import LeaseHolder
from controller.firmware.models import UPGRADES, Build, FirmwareRollout, Upgrade
from controller.firmware.rules import retention, rollouts, upgrade_queue
from controller.firmware.rules.upgrade_worker import closed_until
from controller.firmware.rules.upgrades import CLOSED, start_upgrade
from controller.notifications.models import Notice
from tests import factories
from tests.firmware import fleet

pytestmark = pytest.mark.django_db
State = Upgrade.State


@pytest.fixture
def build(organization: Organization) -> Build:
    row = fleet.build(organization)
    fleet.add_image(row)
    return row


def started(build: Build, **values: Any) -> FirmwareRollout:
    row = rollouts.create_rollout(build, upgrade_all=True, **values)
    return rollouts.start(row)


def count(state: str) -> int:
    return Upgrade.objects.filter(state=state).count()


def end(state: str) -> None:
    Upgrade.objects.filter(state="queued").update(state=state, ended=timezone.now())


def pass_pause(row: FirmwareRollout) -> FirmwareRollout:
    FirmwareRollout.objects.update(wave_started=timezone.now() - timedelta(seconds=row.pause))
    return rollouts.advance(row.pk)


def test_waves_follow_each_other_once_the_devices_of_the_former_are_well(
    organization: Organization, build: Build
) -> None:
    for _ in range(10):
        fleet.device(organization)
    row = started(build, waves=["1", "50%", "100%"])
    assert (count("queued"), count("waiting")) == (1, 9)
    assert rollouts.advance(row.pk).wave == 0
    # The pause alone is no success.
    assert pass_pause(row).wave == 0
    end("confirmed")
    assert rollouts.advance(row.pk).wave == 1
    assert (count("queued"), count("waiting")) == (4, 5)
    end("confirmed")
    assert rollouts.advance(row.pk).wave == 1
    assert pass_pause(row).wave == 2
    end("confirmed")
    assert rollouts.advance(row.pk).state == "done"
    assert count("confirmed") == 10


@pytest.mark.parametrize("bad", ["failed", "aborted", "unknown"])
def test_a_rollout_halts_at_once_when_too_many_are_not_well(
    organization: Organization, build: Build, bad: str
) -> None:
    for _ in range(4):
        fleet.device(organization)
    row = started(build)
    end(bad)
    row = rollouts.advance(row.pk)
    assert row.state == "halted"
    assert "100 % of the devices are not well" in row.reason
    assert (count(bad), count("left")) == (1, 3)
    assert Notice.objects.get().object_type == "firmware.firmwarerollout"


def test_a_share_of_failures_may_be_allowed(organization: Organization, build: Build) -> None:
    for _ in range(2):
        fleet.device(organization)
    row = started(build, waves=["100%"], allowed=50)
    first = Upgrade.objects.first()
    assert first
    Upgrade.objects.filter(pk=first.pk).update(state="failed", ended=timezone.now())
    end("confirmed")
    assert rollouts.advance(row.pk).state == "done"


def test_early_waves_try_every_image(organization: Organization, build: Build) -> None:
    fleet.add_image(build, "example,other")
    for board in (fleet.BOARD, fleet.BOARD, fleet.BOARD, "example,other"):
        fleet.device(organization, board)
    started(build, waves=["2", "100%"])
    boards = Upgrade.objects.filter(wave=0).values_list(
        "device__firmware_system__board", flat=True
    )
    assert set(boards) == {fleet.BOARD, "example,other"}


def test_devices_that_are_busy_or_unreachable_are_left_out_with_the_reason(
    organization: Organization, build: Build
) -> None:
    busy, alone, _ = (fleet.device(organization) for _ in range(3))
    alone.connections.all().delete()
    image = build.images.get()
    start_upgrade(busy, image)
    started(build, waves=["100%"])
    reasons = dict(Upgrade.objects.filter(state="left").values_list("device", "reason"))
    assert reasons == {busy.pk: rollouts.UNDER_WAY, alone.pk: rollouts.NO_CONNECTION}
    assert count("queued") == 2


def test_devices_that_are_away_do_not_hold_the_others_up(
    organization: Organization, build: Build
) -> None:
    for _ in range(2):
        fleet.device(organization)
    row = started(build, waves=["1", "100%"])
    Upgrade.objects.filter(state="queued").update(attempts=1, reason="It did not answer.")
    assert pass_pause(row).wave == 1
    assert count("queued") == 2


def test_a_paused_rollout_starts_no_device(organization: Organization, build: Build) -> None:
    fleet.device(organization)
    row = started(build)
    rollouts.pause(row)
    holder: LeaseHolder[Upgrade] = LeaseHolder(UPGRADES)
    assert upgrade_queue.lease_due(holder) == []
    with pytest.raises(Conflict, match="under way"):
        rollouts.discard(FirmwareRollout.objects.get())
    rollouts.resume(row)
    assert len(upgrade_queue.lease_due(holder)) == 1
    with pytest.raises(Conflict, match="not paused"):
        rollouts.resume(row)
    rollouts.stop(row)
    rollouts.discard(FirmwareRollout.objects.get())
    assert not Upgrade.objects.exists()


def test_a_closed_window_puts_a_device_off_to_its_opening(
    organization: Organization, build: Build
) -> None:
    fleet.device(organization)
    tomorrow = timezone.now() + timedelta(days=1)
    started(build, window=f"{tomorrow:%a} 02:00-03:00")
    upgrade = Upgrade.objects.get()
    opening = closed_until(upgrade)
    assert opening
    assert opening > timezone.now()
    FirmwareRollout.objects.update(window="")
    assert closed_until(Upgrade.objects.get()) is None


def test_a_rollout_of_a_shared_build_reaches_all_organizations(
    organization: Organization, admin: User
) -> None:
    build = fleet.build(None)
    fleet.add_image(build)
    fleet.device(organization)
    fleet.device(factories.organization())
    row = started(build, waves=["100%"], author=admin)
    assert row.organization is None
    assert count("queued") == 2
    end("failed")
    assert rollouts.advance(row.pk).state == "halted"


def test_old_history_is_forgotten_and_what_is_open_stays(
    organization: Organization, build: Build, settings: Any
) -> None:
    for _ in range(2):
        fleet.device(organization)
    started(build, waves=["1", "100%"])
    end("confirmed")
    long_ago = timezone.now() - timedelta(days=settings.MUSTER_FIRMWARE_HISTORY_DAYS + 1)
    Upgrade.objects.update(ended=long_ago)
    FirmwareRollout.objects.update(ended=long_ago)
    assert retention.forget() == 1
    assert (count("waiting"), FirmwareRollout.objects.count()) == (1, 1)
    Upgrade.objects.update(state="failed")
    settings.MUSTER_FIRMWARE_HISTORY_DAYS = 0
    assert retention.forget() == 0
    settings.MUSTER_FIRMWARE_HISTORY_DAYS = 1
    assert retention.forget() == 2
    assert not FirmwareRollout.objects.exists()


def test_later_waves_wait_for_devices_whose_window_is_closed(
    organization: Organization, build: Build
) -> None:
    for _ in range(2):
        fleet.device(organization)
    row = started(build, waves=["1", "100%"])
    Upgrade.objects.filter(state="queued").update(attempts=1, reason=CLOSED)
    assert pass_pause(row).wave == 0
    end("confirmed")
    assert pass_pause(row).wave == 1


def test_one_failure_of_many_reached_devices_does_not_halt(
    organization: Organization, build: Build
) -> None:
    for _ in range(10):
        fleet.device(organization)
    row = started(build, waves=["100%"], allowed=10)
    first, second = Upgrade.objects.all()[:2]
    Upgrade.objects.filter(pk=first.pk).update(state="failed", ended=timezone.now())
    assert rollouts.advance(row.pk).state == "running"
    Upgrade.objects.filter(pk=second.pk).update(state="failed", ended=timezone.now())
    assert rollouts.advance(row.pk).state == "halted"
