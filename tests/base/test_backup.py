"""Backup and restore, on the database under test and across to the other kind."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from controller.accounts.models import Organization, User
from controller.accounts.models.audit import AuditEntry
from controller.base.backup import backup_models
from controller.connections.models import Credentials
from controller.devices.models import Device
from geo.models import FloorPlan, Location
from tests import factories
from tests.demo_world import build

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]


@pytest.fixture
def media(tmp_path: Path, settings: Any) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


def emptied() -> None:
    for model in backup_models():
        model._base_manager.all()._raw_delete("default")


def counts() -> dict[str, int]:
    return {model._meta.label: model._base_manager.count() for model in backup_models()}


def lines(file: Path) -> dict[str, list[bytes]]:
    """Return the lines of a backup's row files, by file."""
    with zipfile.ZipFile(file) as archive:
        return {
            name: archive.read(name).splitlines()
            for name in archive.namelist()
            if name.startswith("rows/")
        }


def manage(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        check=False, cwd=ROOT, env=os.environ | environment, text=True, capture_output=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def by_way_of_spatialite(first: Path, folder: Path) -> Path:
    """Restore into a new database of the other kind and return a backup of it."""
    second = folder / "second.zip"
    elsewhere = {
        "DATABASE_URL": f"spatialite:///{folder / 'elsewhere.sqlite3'}",
        "MEDIA_ROOT": str(folder / "elsewhere"),
    }
    assert "Restored" in manage("restore", str(first), **elsewhere)
    manage("backup", str(second), **elsewhere)
    there, here = lines(second), lines(first)
    assert {name: len(found) for name, found in there.items()} == {
        name: len(found) for name, found in here.items()
    }
    assert there["rows/accounts.auditentry.jsonl"] == here["rows/accounts.auditentry.jsonl"]
    return second


def test_everything_comes_back_also_by_way_of_another_database(
    tmp_path: Path, media: Path
) -> None:
    build()
    place = factories.location(
        factories.organization("Fjord"), name="Quay", at=(5.3221, 60.3913)
    )
    plan = factories.floor_plan(place)
    picture = bytes(plan.image.data)
    (media / "notes").mkdir(parents=True)
    (media / "notes/a.txt").write_text("a file")
    device = factories.device(place.organization, config={"config": factories.a_file("hello")})
    secret = factories.credentials(place.organization, name="of the quay")
    before, made = counts(), AuditEntry.objects.order_by("pk").first()
    assert made is not None
    first = tmp_path / "first.zip"
    call_command("backup", str(first), verbosity=0)
    assert first.stat().st_mode & 0o077 == 0

    if connection.vendor == "postgresql":
        first = by_way_of_spatialite(first, tmp_path)

    emptied()
    (media / "notes/a.txt").unlink()
    call_command("restore", str(first), verbosity=0)
    assert counts() == before
    again = Location.objects.get(name="Quay")
    assert again.geometry == place.geometry
    assert bytes(FloorPlan.objects.get(pk=plan.pk).image.data) == picture
    assert (media / "notes/a.txt").read_text() == "a file"
    assert Credentials.objects.get(pk=secret.pk).params == secret.params
    assert Device.objects.get(pk=device.pk).key == device.key
    entry = AuditEntry.objects.order_by("pk").first()
    assert entry is not None
    assert (entry.at, entry.digest) == (made.at, made.digest)
    # New rows get ids after the restored ones (sequences are reset).
    assert factories.user(again.organization).has_usable_password()
    call_command("audit_verify", verbosity=0)


def test_a_backup_holds_no_secret_in_plain_words(tmp_path: Path, media: Path) -> None:
    factories.credentials(factories.organization())
    call_command("backup", str(tmp_path / "a.zip"), verbosity=0)
    (row,) = lines(tmp_path / "a.zip")["rows/connections.credentials.jsonl"]
    assert b"a secret password" not in row


@pytest.mark.parametrize("name", ["MUSTER_ENCRYPTION_KEYS", "MUSTER_AUDIT_KEY"])
def test_with_wrong_keys_nothing_is_written(
    name: str, tmp_path: Path, media: Path, settings: Any
) -> None:
    factories.credentials(factories.organization())
    call_command("backup", str(tmp_path / "a.zip"), verbosity=0)
    emptied()
    setattr(settings, name, ["another key"] if name.endswith("KEYS") else "another key")
    with pytest.raises(CommandError, match=name):
        call_command("restore", str(tmp_path / "a.zip"), verbosity=0)
    assert not Organization.objects.exists()


def test_a_database_that_is_not_empty_is_left_as_it_is(tmp_path: Path, media: Path) -> None:
    factories.user(factories.organization())
    call_command("backup", str(tmp_path / "a.zip"), verbosity=0)
    User.objects.update(username="another")
    with pytest.raises(CommandError, match="not empty"):
        call_command("restore", str(tmp_path / "a.zip"), verbosity=0)
    assert User.objects.get().username == "another"


def test_a_damaged_or_foreign_file_is_refused(tmp_path: Path, media: Path) -> None:
    factories.user(factories.organization())
    whole = tmp_path / "a.zip"
    call_command("backup", str(whole), verbosity=0)
    emptied()
    broken, half = bytearray(whole.read_bytes()), tmp_path / "half.zip"
    at = broken.find(b"rows/accounts.user.jsonl") + 60
    broken[at : at + 4] = b"\x00\xff\x00\xff"
    half.write_bytes(whole.read_bytes()[:-200])
    (tmp_path / "broken.zip").write_bytes(broken)
    with zipfile.ZipFile(tmp_path / "foreign.zip", "w") as archive:
        archive.writestr("readme", "hello")
    for name in ("half.zip", "broken.zip", "foreign.zip", "none.zip"):
        with pytest.raises(CommandError):
            call_command("restore", str(tmp_path / name), verbosity=0)
        assert not Organization.objects.exists()


def test_a_file_that_would_land_outside_takes_all_rows_back(
    tmp_path: Path, media: Path
) -> None:
    factories.organization()
    call_command("backup", str(tmp_path / "a.zip"), verbosity=0)
    emptied()
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("media/../../outside", "hello")
    with pytest.raises(CommandError):
        call_command("restore", str(tmp_path / "a.zip"), verbosity=0)
    assert not Organization.objects.exists()
    assert not (tmp_path / "outside").exists()


@pytest.mark.django_db(transaction=True)
def test_a_backup_leaves_no_transaction_open(tmp_path: Path, media: Path) -> None:
    factories.organization()
    call_command("backup", str(tmp_path / "a.zip"), verbosity=0)
    assert len(lines(tmp_path / "a.zip")["rows/accounts.organization.jsonl"]) == 1
    factories.organization()
