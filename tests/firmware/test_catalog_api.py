"""The catalog over the API of OpenWISP's firmware upgrader."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.firmware.models import Image, Upgrade
from controller.firmware.rules import image_storage
from tests import factories
from tests.firmware.images import PAYLOAD, image, metadata, public_key, signed
from tests.firmware.test_engine_images import BROKEN

pytestmark = pytest.mark.django_db
API = "/api/v1/firmware-upgrader"
NAME = "openwrt-24.10.2-ath79-generic-example_router-v1-squashfs-sysupgrade.bin"
TYPE = "ath79-generic-example_router-v1-squashfs-sysupgrade.bin"

Client = Callable[[User | None], APIClient]


@pytest.fixture
def client(api: Client, organization: Organization) -> APIClient:
    return api(factories.user(organization, "admin"))


def new_build(client: APIClient, organization: Organization | None, **values: Any) -> str:
    owner = str(organization.pk) if organization else None
    name = values.pop("name", "access points")
    answer = client.post(f"{API}/category/", {"name": name, "organization": owner})
    assert answer.status_code == 201, answer.data
    wanted = {"category": answer.data["id"], "version": "24.10.2"} | values
    answer = client.post(f"{API}/build/", wanted)
    assert answer.status_code == 201, answer.data
    return str(answer.data["id"])


def upload(
    client: APIClient, build: str, data: bytes | None = None, name: str = NAME, **values: Any
) -> Any:
    file = SimpleUploadedFile(name, image() if data is None else data)
    body = {"file": file} | values
    return client.post(f"{API}/build/{build}/image/", body, format="multipart")


def test_categories_and_builds_have_the_shape_of_the_contract(
    client: APIClient, organization: Organization
) -> None:
    build = new_build(client, organization, os="OpenWrt 24.10.2", changelog="New kernel.")
    page = client.get(f"{API}/category/").data
    assert set(page) == {"count", "next", "previous", "results"}
    assert set(page["results"][0]) == {
        "id", "created", "modified", "name", "description", "organization",
    }  # fmt: skip
    shown = client.get(f"{API}/build/{build}/").data
    assert set(shown) == {
        "id", "category_relation", "created", "modified", "version", "os", "changelog",
        "category", "is_step",
    }  # fmt: skip
    assert shown["category_relation"] == {
        "name": "access points",
        "organization": organization.pk,
    }
    for query in (
        f"organization={organization.slug}", f"organization={organization.pk}",
        "version=24.10.2&os=OpenWrt 24.10.2", f"category={shown['category']}",
        "ordering=-version",
    ):  # fmt: skip
        assert client.get(f"{API}/build/?{query}").data["count"] == 1, query
    assert client.get(f"{API}/build/?version=1").data["count"] == 0
    assert client.get(f"{API}/category/?organization=elsewhere").data["count"] == 0
    assert client.patch(f"{API}/build/{build}/", {"changelog": "x"}).status_code == 200


def test_what_exists_already_is_told_in_the_words_of_the_dialect(
    client: APIClient, organization: Organization
) -> None:
    build = new_build(client, organization, os="OpenWrt 24.10.2")
    category = client.get(f"{API}/build/{build}/").data["category"]
    again = {"name": "access points", "organization": str(organization.pk)}
    assert client.post(f"{API}/category/", again).data == {
        "__all__": ["A category with this name exists already."]
    }
    wanted = {"category": category, "version": "24.10.2"}
    assert set(client.post(f"{API}/build/", wanted).data) == {"__all__"}
    answer = client.post(f"{API}/build/", wanted | {"version": "25", "os": "OpenWrt 24.10.2"})
    assert (answer.status_code, set(answer.data)) == (400, {"os"})
    assert upload(client, build).status_code == 201
    answer = upload(client, build, image(metadata("other,board")))
    assert (answer.status_code, set(answer.data)) == (400, {"__all__"})
    assert "with this Build and Type already exists" in str(answer.data)
    answer = upload(client, build, type="another")
    assert "same content" in str(answer.data)


def test_an_upload_is_read_hashed_and_downloaded_again(
    client: APIClient, organization: Organization, settings: Any
) -> None:
    settings.MUSTER_FIRMWARE_KEYS = [public_key().splitlines()[1]]
    build, data = new_build(client, organization), signed(image(metadata("example,a", "b")))
    answer = upload(client, build, data)
    assert answer.status_code == 201, answer.data
    shown = answer.data
    assert {"id", "created", "modified", "file", "type", "build"} <= set(shown)
    assert (shown["type"], shown["boards"]) == (TYPE, ["example,a", "b"])
    assert (shown["signature"], shown["revision"]) == ("valid", "r28739-d9340319c6")
    assert shown["file"].startswith("http://testserver/api/")
    download = client.get(shown["file"])
    assert b"".join(download.streaming_content) == data
    assert NAME in download["Content-Disposition"]
    by_name = client.get(f"/firmware/{build}/{NAME}")
    assert b"".join(by_name.streaming_content) == data
    assert client.get(f"/firmware/{build}/other.bin").status_code == 404
    path = Image.objects.get().path
    assert path.stat().st_mode & 0o077 == 0
    assert client.get(f"{API}/build/{build}/image/?type={TYPE}").data["count"] == 1
    for change in (client.put, client.patch):
        assert change(f"{API}/build/{build}/image/{shown['id']}/", {}).status_code == 405


def test_a_bad_upload_is_a_400_with_the_reason_and_leaves_nothing(
    client: APIClient, organization: Organization, settings: Any
) -> None:
    build = new_build(client, organization)
    broken = bytes([1]) + image()[1:]
    for data, name, words in (
        (broken, NAME, "checksum"),
        (b"<html>", NAME, "web page"),
        (image(), "x-squashfs-factory.bin", "factory"),
    ):
        answer = upload(client, build, data, name)
        assert (answer.status_code, set(answer.data)) == (400, {"file"})
        assert words in answer.data["file"][0]
    settings.MUSTER_FIRMWARE_LIMIT = 1000
    assert "1000 bytes" in upload(client, build).data["file"][0]
    assert upload(client, build, b"").status_code == 400
    assert client.post(f"{API}/build/{build}/image/", {}, format="multipart").data == {
        "file": ["No file was submitted."]
    }
    assert not Image.objects.exists()
    assert list(image_storage.folder().iterdir()) == []


def test_shared_firmware_is_read_by_all_and_written_by_superusers(
    api: Client, admin: User, organization: Organization
) -> None:
    mine = api(factories.user(organization, "admin"))
    refused = mine.post(f"{API}/category/", {"name": "shared", "organization": None})
    assert refused.status_code in {400, 403}
    build = new_build(api(admin), None, name="shared")
    assert mine.get(f"{API}/build/{build}/").status_code == 200
    assert upload(mine, build).status_code == 403
    assert upload(api(admin), build).status_code == 201
    assert mine.patch(f"{API}/build/{build}/", {"version": "x"}).status_code == 403


def test_strangers_find_nothing(
    api: Client, client: APIClient, organization: Organization
) -> None:
    build = new_build(client, organization)
    shown = upload(client, build).data
    stranger = api(factories.user(factories.organization("Elsewhere"), "admin"))
    for url in (f"{API}/build/{build}/", f"{API}/build/{build}/image/", shown["file"]):
        assert stranger.get(url).status_code == 404
        assert api(None).get(url).status_code == 401
    assert stranger.get(f"{API}/build/").data["count"] == 0
    category = client.get(f"{API}/build/{build}/").data["category"]
    answer = stranger.post(f"{API}/build/", {"category": category, "version": "1"})
    assert (answer.status_code, set(answer.data)) == (400, {"category"})


def test_images_of_open_upgrades_stay_and_files_go_with_the_last_image(
    client: APIClient, organization: Organization
) -> None:
    build, other = new_build(client, organization), new_build(client, organization, name="b")
    first, second = upload(client, build).data, upload(client, other).data
    row = Image.objects.get(pk=first["id"])
    upgrade = Upgrade.objects.create(
        device=factories.device(organization), image=row, image_name=row.name,
        sha256=row.sha256, size=row.size,
    )  # fmt: skip
    url = f"{API}/build/{build}/image/{row.pk}/"
    assert client.delete(url).status_code == 409
    assert client.delete(f"{API}/build/{build}/").status_code == 409
    Upgrade.objects.filter(pk=upgrade.pk).update(state="confirmed")
    assert client.delete(url).status_code == 204
    old = time.time() - 2 * image_storage.SHORTEST_AGE
    os.utime(row.path, (old, old))
    assert image_storage.forget_files() == 0
    Image.objects.filter(pk=second["id"]).delete()
    assert image_storage.forget_files() == 1
    assert Upgrade.objects.get().image_name == row.name


def test_an_image_without_metadata_has_no_boards(
    client: APIClient, organization: Organization
) -> None:
    shown = upload(client, new_build(client, organization), PAYLOAD).data
    assert (shown["has_metadata"], shown["boards"]) == (False, [])


def test_every_broken_image_is_a_400_that_says_why_and_leaves_nothing(
    client: APIClient, organization: Organization
) -> None:
    build = new_build(client, organization)
    assert len(BROKEN) >= 30
    for name, (data, words) in BROKEN.items():
        answer = upload(client, build, data)
        assert answer.status_code == 400, name
        (text,) = answer.data["file"]
        # An empty file is refused before it is read.
        assert re.search(words, text) or name == "empty", (name, text)
    assert not Image.objects.exists()
    assert list((Path(settings.MEDIA_ROOT) / "firmware").glob("*")) == []


def test_an_image_goes_out_and_comes_in_byte_for_byte(
    client: APIClient, organization: Organization
) -> None:
    rows = [new_build(client, organization, name=name) for name in ("here", "there")]
    data = image(payload=bytes(range(256)) * 40)
    first = upload(client, rows[0], data)
    assert first.status_code == 201, first.data
    download = client.get(first.data["file"])
    out = b"".join(download.streaming_content)
    assert out == data
    again = upload(client, rows[1], out, name=NAME)
    assert again.status_code == 201, again.data
    assert again.data["type"] == first.data["type"]
    told = client.get(again.data["file"])
    assert b"".join(told.streaming_content) == data
