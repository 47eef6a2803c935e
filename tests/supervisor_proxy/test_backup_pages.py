"""Admin pages of backup plans and stored backups."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from controller.accounts.models import Organization, User
from supervisor_proxy.models import BackupPlan, StoredBackup
from supervisor_proxy.rules import backup_queue, backups
from tests import factories
from tests.fleet.hassio import HassioSupervisor
from tests.fleet.http import Large

pytestmark = pytest.mark.django_db
PLANS = "/admin/supervisor_proxy/backupplan/"
STORED = "/admin/supervisor_proxy/storedbackup/"
SIZE = 50_000


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def form(organization: Organization, **changes: str) -> dict[str, str]:
    return {
        "name": "nightly", "organization": str(organization.pk), "group": "", "enabled": "on",
        "hours": "24", "keep": "7", "keep_on_device": "1",
    } | changes  # fmt: skip


@pytest.fixture
def device(settings: Any, tmp_path: Path, run: Any, organization: Organization) -> Any:
    settings.MUSTER_BACKUP_DIR = str(tmp_path)
    device = run(HassioSupervisor("195"))
    device.download_size = SIZE
    factories.supervisor(device, organization, flavor="hassio", app_id=None)
    return device


@pytest.fixture
def stored(device: HassioSupervisor, admin: User, organization: Organization) -> StoredBackup:
    backups.add_plan(admin, organization=organization, name="nightly")
    assert backup_queue.run_due() == 1
    row: StoredBackup = StoredBackup.objects.get()
    return row


def test_a_plan_is_made_changed_and_deleted_and_says_what_it_made(
    device: HassioSupervisor, organization: Organization
) -> None:
    client = signed_in(factories.user(organization, is_staff=True))
    assert "A plan backs up all" in client.get(PLANS).content.decode()
    assert client.post(f"{PLANS}add/", form(organization)).status_code == 302
    plan = BackupPlan.objects.get()
    page = f"{PLANS}{plan.pk}/change/"
    assert "No backups yet" in client.get(page).content.decode()
    assert backup_queue.run_due() == 1
    assert (
        StoredBackup.objects.get().supervisor.device.name in client.get(page).content.decode()
    )
    assert client.post(page, form(organization, keep="3")).status_code == 302
    plan.refresh_from_db()
    assert plan.keep == 3
    assert "All its devices" in client.get(PLANS).content.decode()
    client.post(f"{PLANS}{plan.pk}/delete/", {"post": "yes"})
    assert not BackupPlan.objects.exists()
    assert StoredBackup.objects.exists()


def test_a_bad_plan_is_refused_beside_the_field(organization: Organization) -> None:
    client = signed_in(factories.user(organization, is_staff=True))
    foreign = str(factories.group(factories.organization()).pk)
    for wrong in ({"hours": "0"}, {"keep": "x"}, {"name": ""}, {"group": foreign}):
        answer = client.post(f"{PLANS}add/", form(organization, **wrong))
        assert answer.status_code == 200
        assert list(answer.context["adminform"].form.errors) == list(wrong)
    assert not BackupPlan.objects.exists()


def test_a_kept_backup_is_downloaded_sent_back_and_deleted(
    stored: StoredBackup, device: HassioSupervisor, admin: User, tmp_path: Path
) -> None:
    client, page = signed_in(admin), f"{STORED}{stored.pk}/"
    assert stored.supervisor.device.name in client.get(STORED).content.decode()
    shown = client.get(f"{page}change/").content.decode()
    assert stored.sha256 in shown
    assert stored.password not in shown
    fetched = client.get(f"{page}download/")
    whole = b"".join(fetched.streaming_content)
    assert hashlib.sha256(whole).hexdigest() == Large(SIZE).digest
    assert client.post(f"{page}send/")["Location"].endswith("#home")
    assert device.uploaded == whole
    told = client.post(f"{page}password/")
    assert stored.password in told.content.decode()
    assert "no-store" in told["Cache-Control"]
    assert client.post(f"{page}delete/", {"post": "yes"}).status_code == 302
    assert not StoredBackup.objects.exists()
    assert not list(tmp_path.glob("*/*.tar"))


def test_one_that_is_being_made_is_not_deleted(stored: StoredBackup, admin: User) -> None:
    StoredBackup.objects.update(state="made")
    client, page = signed_in(admin), f"{STORED}{stored.pk}/"
    told = client.post(f"{page}delete/", {"post": "yes"}, follow=True).content.decode()
    assert "It is being made" in told
    assert StoredBackup.objects.exists()
    answer = client.get(f"{page}download/", follow=True)
    assert "not stored here" in answer.content.decode()


def test_each_does_what_their_role_permits_and_strangers_see_nothing(
    stored: StoredBackup, organization: Organization
) -> None:
    plan, page = BackupPlan.objects.get(), f"{STORED}{stored.pk}/"
    viewer = signed_in(factories.user(organization, "viewer", is_staff=True))
    shown = viewer.get(f"{page}change/").content.decode()
    for button in ("Download", "Bring it", "Show its password", "Delete"):
        assert button not in shown
    assert viewer.get(f"{page}download/").status_code == 403
    for verb in ("send/", "password/", "delete/"):
        assert viewer.post(page + verb, {"post": "yes"}).status_code == 403
    assert viewer.post(f"{PLANS}add/", form(organization)).status_code == 403
    assert viewer.post(f"{PLANS}{plan.pk}/change/", form(organization)).status_code == 403
    stranger = signed_in(factories.user(factories.organization(), is_staff=True))
    assert stored.supervisor.device.name not in stranger.get(STORED).content.decode()
    assert stranger.get(f"{page}download/").status_code == 404
    assert stranger.get(f"{PLANS}{plan.pk}/change/").status_code == 302
    assert BackupPlan.objects.get().name == "nightly"
