"""Images in an object store: each machine has its copies, and the store has them all."""

import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import boto3
import pytest
from django.core.files.storage import default_storage
from moto.server import ThreadedMotoServer
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.base import object_store
from controller.base.backup_files import read_files, write_files
from controller.environment import media_storage
from controller.firmware.models import Image, Upgrade
from controller.firmware.rules import downloads, image_storage, image_uploads, policies
from controller.firmware.rules.upgrade_worker import order_for
from controller.firmware.rules.upgrades import start_upgrade
from tests import factories
from tests.firmware import fleet
from tests.firmware.images import image as image_bytes
from tests.firmware.images import public_key, signed
from tests.firmware.test_catalog_api import API, new_build, upload
from tests.fleet.ports import free_port

pytestmark = pytest.mark.django_db(transaction=True)
DAYS = 2 * 24 * 3600


class Store:
    """An S3 server with one bucket, and the portal's settings for it."""

    def __init__(self, settings: Any, folder: Path) -> None:
        self.settings, self.folder = settings, folder
        self.port, self.bucket = free_port(), f"fleet-{uuid4().hex}"
        self.start()
        self.client = boto3.client("s3", endpoint_url=self.url, region_name="eu-central-1")
        self.client.create_bucket(
            Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        settings.MUSTER_S3_BUCKET = self.bucket
        settings.STORAGES = settings.STORAGES | {
            "default": media_storage(
                self.bucket, url=self.url, region="eu-central-1", folder="portal"
            )
        }
        self.machine("first")

    def start(self) -> None:
        self.server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.server.start()
        self.url = f"http://127.0.0.1:{self.port}"

    def machine(self, name: str) -> None:
        """Go on as another machine, with files of its own."""
        self.settings.MEDIA_ROOT = self.folder / name

    def names(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return [str(one["Key"]) for one in found]


@pytest.fixture
def store(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "portal")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    made = Store(settings, tmp_path)
    yield made
    made.server.stop()


@pytest.fixture
def client(api: Callable[[User | None], APIClient], organization: Organization) -> APIClient:
    return api(factories.user(organization, "admin"))


def test_an_image_that_one_machine_got_is_given_by_all(
    client: APIClient, organization: Organization, store: Store
) -> None:
    data = image_bytes()
    build = new_build(client, organization)
    row = Image.objects.get(pk=upload(client, build, data).data["id"])
    assert store.names() == [f"portal/firmware/{row.sha256}"]
    store.machine("second")
    assert not row.path.exists()
    answer = client.get(f"{API}/build/{build}/image/{row.pk}/download/")
    assert (answer.status_code, b"".join(answer.streaming_content)) == (200, data)
    assert row.path.read_bytes() == data


def test_devices_and_workers_get_it_on_any_machine(
    organization: Organization, store: Store
) -> None:
    image = fleet.add_image(fleet.build(organization))
    whole = image.path.read_bytes()
    upgrade = start_upgrade(fleet.device(organization), image)
    Upgrade.objects.update(state=Upgrade.State.SENDING)
    upgrade.refresh_from_db()
    store.machine("web")
    opened = downloads.open_download(downloads.issue(upgrade))
    assert opened is not None
    assert opened.path.read_bytes() == whole
    store.machine("worker")
    assert order_for(upgrade).path.read_bytes() == whole


def test_a_store_that_is_away_refuses_uploads_and_keeps_nothing(
    client: APIClient, organization: Organization, store: Store
) -> None:
    build = new_build(client, organization)
    store.server.stop()
    answer = upload(client, build)
    assert answer.status_code in {502, 503}, answer.data
    assert "object store" in str(answer.data)
    assert not Image.objects.exists()
    assert list(image_storage.folder().iterdir()) == []
    store.start()
    assert upload(client, build).status_code == 201


def test_an_image_whose_object_is_gone_is_told_as_gone(
    client: APIClient, organization: Organization, store: Store
) -> None:
    build = new_build(client, organization)
    row = Image.objects.get(pk=upload(client, build).data["id"])
    default_storage.delete(f"firmware/{row.sha256}")
    store.machine("second")
    answer = client.get(f"{API}/build/{build}/image/{row.pk}/download/")
    assert answer.status_code == 404


def test_copies_and_objects_that_are_not_needed_go(
    organization: Organization, store: Store
) -> None:
    image = fleet.add_image(fleet.build(organization))
    other = fleet.add_image(fleet.build(organization, "25.12"), "example,other")
    old = time.time() - DAYS
    os.utime(image.path, (old, old))
    store.machine("second")
    image_storage.local_file(other)
    os.utime(other.path, (old, old))
    image_storage.local_file(image)
    assert not other.path.exists(), "it was not used for a day"
    assert image_storage.local_file(other).exists()
    Image.objects.filter(pk=other.pk).delete()
    assert image_storage.forget_files() == 0, "it may belong to an upload that goes on"
    for one in (other.path, image.path):
        os.utime(one, (old, old))
    store.machine("third")
    assert object_store.is_set()
    assert sorted(object_store.names("firmware")) == sorted(
        f"firmware/{one.sha256}" for one in (image, other)
    )


def test_signatures_are_judged_wherever_the_file_is(
    organization: Organization, store: Store
) -> None:
    image = image_uploads.add_image(
        fleet.build(organization), name="x-sysupgrade.bin", parts=[signed(image_bytes())]
    )
    store.machine("second")
    key = policies.add_key(organization=organization, name="ours", public_key=public_key())
    image.refresh_from_db()
    assert image.signature == "unknown_key", "its file is not on this machine yet"
    assert policies.judge_waiting() == 1
    image.refresh_from_db()
    assert image.signature == "valid"
    store.machine("third")
    policies.remove_key(key)
    image.refresh_from_db()
    assert image.signature == "unknown_key"


def test_a_backup_has_the_objects_and_brings_them_back(
    organization: Organization, store: Store, tmp_path: Path
) -> None:
    image = fleet.add_image(fleet.build(organization))
    whole = image.path.read_bytes()
    file = tmp_path / "backup.zip"
    with ZipFile(file, "w") as archive:
        assert write_files(archive) == 1
    name = f"firmware/{image.sha256}"
    default_storage.delete(name)
    with ZipFile(file) as archive:
        assert read_files(archive) == 1
    assert store.names() == [f"portal/{name}"]
    with default_storage.open(name) as found:
        assert io.BytesIO(found.read()).getvalue() == whole
