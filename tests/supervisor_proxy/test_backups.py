"""Scheduled backups: made on devices, fetched, pruned by the plan, and sent back."""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.base.leases import LeaseHolder
from supervisor_proxy.models import BACKUPS, BackupPlan, StoredBackup, SupervisorCall
from supervisor_proxy.rules import backup_queue, backups
from tests import factories
from tests.fleet.hassio import HassioSupervisor
from tests.fleet.http import Large

pytestmark = pytest.mark.django_db
PLANS = "/api/v1/controller/backup-plan/"
STORED = "/api/v1/controller/stored-backup/"
SIZE = 300_000


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.MUSTER_BACKUP_DIR = str(tmp_path)
    return tmp_path


@pytest.fixture
def fleet(run: Any, organization: Organization) -> Any:
    def fleet(*versions: str) -> list[HassioSupervisor]:
        devices = [HassioSupervisor(version) for version in versions]
        run(*devices)
        for device in devices:
            device.download_size = SIZE
            factories.supervisor(device, organization, flavor="hassio", app_id=None)
        return devices

    return fleet


@pytest.fixture
def plan(api: Any, admin: User, organization: Organization) -> Any:
    def plan(user: User | None = None, **values: Any) -> Any:
        body = {"organization": str(organization.pk), "name": "nightly"} | values
        return api(user or admin).post(PLANS, body)

    return plan


def later(hours: int) -> None:
    """Set the creation of all backups this many hours back."""
    for row in StoredBackup.objects.all():
        row.created -= timedelta(hours=hours)
        row.save()


def test_devices_of_both_ages_are_backed_up_and_their_backups_kept_here(
    api: Any, admin: User, fleet: Any, plan: Any, folder: Path
) -> None:
    devices = fleet("2026.08.0", "195")
    assert plan().status_code == 201
    assert backup_queue.run_due() == 2
    rows = api(admin).get(STORED).json()["results"]
    assert {one["state"] for one in rows} == {"stored"}
    assert {one["sha256"] for one in rows} == {Large(SIZE).digest}
    for device in devices:
        (made,) = [one for one in device.requests if one.path.endswith("/new/full")]
        assert made.data["password"] == BackupPlan.objects.get().password
    calls = str([(call.asked, call.answer) for call in SupervisorCall.objects.all()])
    assert BackupPlan.objects.get().password not in calls
    files = list(folder.glob("*/*"))
    assert [file.stat().st_size for file in files] == [SIZE, SIZE]
    assert {file.stat().st_mode & 0o77 for file in files} == {0}
    assert backup_queue.run_due() == 0, "they are not due yet"


def test_no_more_are_kept_than_the_plan_says_here_and_there(
    fleet: Any, plan: Any, folder: Path
) -> None:
    (device,) = fleet("2026.08.0")
    plan(keep=2, keep_on_device=1, hours=24)
    for _ in range(4):
        assert backup_queue.run_due() == 1
        later(25)
    assert StoredBackup.objects.count() == 2
    assert len(list(folder.glob("*/*.tar"))) == 2
    newest = StoredBackup.objects.first()
    assert newest is not None
    assert list(device.backups) == [newest.slug]


def test_one_that_fails_says_why_and_is_tried_again_an_hour_later(
    fleet: Any, plan: Any, folder: Path
) -> None:
    (device,) = fleet("2026.08.0")
    plan()
    key, device.key = device.key, "another"
    backup_queue.run_due()
    row = StoredBackup.objects.get()
    assert (row.state, "was not made" in row.reason) == ("failed", True)
    device.key = key
    assert backup_queue.run_due() == 0
    later(2)
    assert backup_queue.run_due() == 1
    assert not list(folder.glob("*/*.part"))


def test_a_backup_whose_worker_died_is_fetched_by_another(fleet: Any, plan: Any) -> None:
    (device,) = fleet("2026.08.0")
    plan()
    backup_queue.plan_due()
    backup_queue.make()
    lease = {"lease_holder": uuid4(), "leased_until": timezone.now() - timedelta(minutes=1)}
    StoredBackup.objects.update(**lease)
    assert backup_queue.run_due() == 0
    StoredBackup.objects.update(not_before=timezone.now())
    assert backup_queue.run_due() == 1
    assert StoredBackup.objects.get().state == "stored"
    assert len(device.backups) == 1


@pytest.fixture
def lost(fleet: Any, plan: Any) -> tuple[HassioSupervisor, StoredBackup]:
    """A backup whose worker was lost just after it had been asked for."""
    (device,) = fleet("2026.08.0")
    plan()
    backup_queue.plan_due()
    holder = LeaseHolder(BACKUPS)
    (row,) = holder.lease(1)
    assert holder.mark_sent(row.pk)
    lose_worker()
    return device, row


def lose_worker() -> None:
    StoredBackup.objects.update(leased_until=timezone.now() - timedelta(seconds=1))


def test_a_backup_that_was_made_while_nobody_listened_is_found_and_fetched(
    lost: tuple[HassioSupervisor, StoredBackup],
) -> None:
    device, row = lost
    device.backups["ab12cd34"] = {"slug": "ab12cd34", "name": row.device_name}
    assert backup_queue.run_due() == 1
    row.refresh_from_db()
    assert (row.state, row.slug, row.sent) == ("stored", "ab12cd34", None)
    assert not [path for _, path in device.paths if path.endswith("/new/full")]


def test_a_device_that_is_still_at_it_is_waited_for(
    lost: tuple[HassioSupervisor, StoredBackup],
) -> None:
    device, row = lost
    device.jobs.append({"name": "backup", "progress": 40, "done": False, "created": "1"})
    assert backup_queue.run_due() == 0
    assert not [path for _, path in device.paths if path.endswith("/new/full")]
    row.refresh_from_db()
    assert row.state == "waiting"
    assert row.sent is not None
    assert row.not_before > timezone.now()
    device.jobs.clear()
    device.backups["ab12cd34"] = {"slug": "ab12cd34", "name": row.device_name}
    StoredBackup.objects.update(not_before=timezone.now())
    assert backup_queue.run_due() == 1


def test_a_backup_that_never_reached_the_device_is_made_once(
    lost: tuple[HassioSupervisor, StoredBackup],
) -> None:
    device, row = lost
    backup_queue.run_due()
    StoredBackup.objects.update(not_before=timezone.now())
    assert backup_queue.run_due() == 1
    assert len(device.backups) == 1
    row.refresh_from_db()
    assert row.state == "stored"


def test_plans_of_one_device_do_not_starve_each_other(
    fleet: Any, plan: Any, folder: Path
) -> None:
    fleet("2026.08.0")
    plan(hours=24)
    assert backup_queue.run_due() == 1
    plan(name="weekly", hours=168)
    assert backup_queue.run_due() == 1
    assert backup_queue.run_due() == 0


def test_parts_of_lost_workers_are_swept(
    lost: tuple[HassioSupervisor, StoredBackup], folder: Path
) -> None:
    _, row = lost
    place = folder / str(row.supervisor_id)
    place.mkdir()
    held = StoredBackup.objects.get().lease_holder
    assert held is not None
    for name in ("0" * 32, held.hex):
        (place / f"{row.pk}.{name}.part").write_bytes(b"half")
    assert backups.sweep() == 1
    assert [path.name for path in place.iterdir()] == [f"{row.pk}.{held.hex}.part"]


def test_a_kept_backup_goes_back_to_its_device_and_its_password_is_told_to_few(
    api: Any, admin: User, fleet: Any, plan: Any, organization: Organization
) -> None:
    (device,) = fleet("195")
    plan()
    backup_queue.run_due()
    url = f"{STORED}{StoredBackup.objects.get().pk}/"
    fetched = api(admin).get(f"{url}download/")
    whole = b"".join(fetched.streaming_content)
    assert hashlib.sha256(whole).hexdigest() == Large(SIZE).digest
    assert api(admin).post(f"{url}send/").json()["result"] == "ok"
    assert device.uploaded == whole
    told = api(admin).get(f"{url}password/").json()["password"]
    assert told == BackupPlan.objects.get().password
    viewer = factories.user(organization, "viewer")
    assert api(viewer).get(url).status_code == 200
    for path in ("download/", "password/"):
        assert api(viewer).get(url + path).status_code == 403
    assert "password" not in api(admin).get(PLANS).content.decode()


def test_a_plan_is_made_by_who_may_do_all_of_it_and_for_their_own(
    plan: Any, organization: Organization
) -> None:
    assert plan(factories.user(organization, "operator")).status_code == 403
    assert plan(factories.user(factories.organization())).status_code in {400, 403}
    assert plan(hours=0).status_code == 400
    elsewhere = factories.group(factories.organization())
    assert plan(group=str(elsewhere.pk)).status_code == 400
    assert not BackupPlan.objects.exists()


def test_only_devices_of_the_plans_group_are_backed_up(
    fleet: Any, plan: Any, organization: Organization
) -> None:
    fleet("2026.08.0", "2026.08.0")
    group = factories.group(organization)
    assert plan(group=str(group.pk)).status_code == 201
    assert backup_queue.run_due() == 0
    row = factories.Device.objects.first()
    row.group = group
    row.save()
    assert backup_queue.run_due() == 1


def test_files_of_devices_that_are_gone_are_swept_away(
    fleet: Any, plan: Any, folder: Path
) -> None:
    fleet("2026.08.0")
    plan()
    backup_queue.run_due()
    assert backups.sweep() == 0
    StoredBackup.objects.all().delete()
    assert backups.sweep() == 1
    assert not list(folder.glob("*/*"))
