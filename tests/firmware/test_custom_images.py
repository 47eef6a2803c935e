"""Custom images from a stand-in sysupgrade server, with the packages of a router over SSH."""

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.base.errors import Refused
from controller.devices.models import Device
from controller.firmware.drivers.asu import SCRIPT
from controller.firmware.engine.asu import BuildOrder, check_order, read_answer
from controller.firmware.engine.package_lists import parse_packages
from controller.firmware.models import Build, DeviceSystem, Image, ImageRequest
from controller.firmware.rules import custom_images, retention
from tests import factories
from tests.firmware import fleet
from tests.firmware.test_upgrades import a_device
from tests.fleet import asu
from tests.fleet.asu import AsuServer
from tests.fleet.router_device import Router

pytestmark = pytest.mark.django_db(transaction=True)
State = ImageRequest.State
PACKAGES = {"luci": "1", "openwisp-config": "2", "tcpdump-mini": "3"}


@pytest.fixture
def server(settings: Any) -> Iterator[AsuServer]:
    with asu.serving() as server:
        settings.MUSTER_ASU_URL = server.url
        yield server
        assert not server.faults, server.faults


@pytest.fixture
def device(organization: Organization) -> Device:
    row = fleet.device(organization)
    DeviceSystem.objects.update(target="ath79/generic", rootfs_type="squashfs")
    return row


@pytest.fixture
def build(organization: Organization) -> Build:
    return fleet.build(organization)


def go_on(row: ImageRequest, most: int = 10) -> ImageRequest:
    """Go on until it ends, as if all pauses were over."""
    for _ in range(most):
        ImageRequest.objects.update(look_at=timezone.now())
        custom_images.advance_due()
        row.refresh_from_db()
        if row.ended:
            break
    return row


def test_an_image_is_built_with_the_packages_that_the_router_has(
    organization: Organization, build: Build, server: AsuServer, tmp_path: Path
) -> None:
    with Router(tmp_path / "router") as router:
        router.put("packages.json", json.dumps({"packages": PACKAGES}))
        device = a_device(organization, router)
        DeviceSystem.objects.create(
            device=device, board="example,router-v1", target="ath79/generic"
        )
        row = go_on(custom_images.request_image(build, device), most=1)
        assert (row.state, row.packages) == (State.BUILDING, sorted(PACKAGES))
        assert "place 3" in row.reason
    # The router may be away from here on.
    go_on(row)
    assert row.state == State.DONE, row.reason
    assert row.image == Image.objects.get()
    assert [one.name for one in row.image.boards.all()] == ["example,router-v1"]
    assert row.image.path.read_bytes() == server.file
    assert server.asked == [
        {
            "version": "24.10.2", "target": "ath79/generic", "profile": "example_router-v1",
            "packages": sorted(PACKAGES), "diff_packages": False, "client": "muster/1",
        }
    ]  # fmt: skip
    # Once more: the build has the image already.
    again = go_on(custom_images.request_image(build, device, packages=["luci"]))
    assert (again.state, again.image) == (State.DONE, row.image)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("fails", "Impossible package selection"), ("damaged", "another checksum"),
        ("nonsense", "no folder"), ("factory", "no sysupgrade image"), ("lacks", "lacks luci"),
    ],
)  # fmt: skip
def test_what_the_server_cannot_do_is_said(
    build: Build, device: Device, server: AsuServer, trouble: str, words: str
) -> None:
    server.trouble = trouble
    row = go_on(custom_images.request_image(build, device, packages=["luci"]))
    assert (row.state, words in row.reason) == (State.FAILED, True), row.reason
    assert not Image.objects.exists()


@pytest.mark.parametrize("trouble", ["overloaded", "forgets", "down"])
def test_what_passes_is_waited_for(
    build: Build, device: Device, server: AsuServer, trouble: str
) -> None:
    row = custom_images.request_image(build, device, packages=["luci"])
    if trouble != "overloaded":
        go_on(row, most=1)
    server.trouble = trouble
    go_on(row, most=1)
    assert row.state in ImageRequest.OPEN, row.reason
    server.trouble = ""
    assert go_on(row).state == State.DONE, row.reason


def test_a_request_is_given_up_in_the_end(
    build: Build, device: Device, server: AsuServer
) -> None:
    server.looks = 100
    row = go_on(custom_images.request_image(build, device, packages=["luci"]), most=1)
    ImageRequest.objects.update(created=timezone.now() - timedelta(hours=7))
    assert go_on(row, most=1).state == State.FAILED
    ImageRequest.objects.update(ended=timezone.now() - timedelta(days=4000))
    assert retention.forget() == 1


def test_one_worker_at_a_time_goes_on_with_a_request(
    build: Build, device: Device, server: AsuServer
) -> None:
    row = custom_images.request_image(build, device, packages=["luci"])
    ImageRequest.objects.update(look_at=timezone.now() + custom_images.TAKEN)
    custom_images.advance(row.pk)
    assert not server.asked


def test_what_cannot_be_asked_for_is_refused(
    organization: Organization, build: Build, device: Device, server: AsuServer, settings: Any
) -> None:
    foreign = fleet.device(factories.organization())
    unread = fleet.device(organization, "")
    for wrong, words in (
        ({"device": foreign}, "another organization"), ({"device": unread}, "not been read"),
        ({"packages": ["a b"]}, "no name of a package"),
        ({"build": fleet.build(organization, "summer")}, "no version"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=words):
            custom_images.request_image(**({"build": build, "device": device} | wrong))
    custom_images.request_image(build, device, packages=["luci"])
    with pytest.raises(Refused, match="already"):
        custom_images.request_image(build, device)
    settings.MUSTER_ASU_URL = ""
    with pytest.raises(Refused, match="MUSTER_ASU_URL"):
        custom_images.request_image(build, device)
    assert ImageRequest.objects.count() == 1


def test_it_is_asked_for_over_the_api_and_in_the_admin(
    api: Callable[..., APIClient], organization: Organization, build: Build, device: Device,
    server: AsuServer,
) -> None:  # fmt: skip
    owner = factories.user(organization, "admin", is_staff=True)
    url, client = "/api/v1/firmware-upgrader/image-request/", api(owner)
    given = {"build": str(build.pk), "device": str(device.pk), "packages": ["luci"]}
    made = client.post(url, given)
    assert (made.status_code, made.data["state"]) == (201, "asked"), made.data
    row = go_on(ImageRequest.objects.get())
    shown = client.get(f"{url}{row.pk}/").data
    assert (shown["state"], shown["image"]) == ("done", row.image_id)
    assert client.get(url, {"build": str(build.pk), "state": "done"}).data["count"] == 1
    assert client.post(url, given | {"packages": ["; reboot"]}).status_code == 400
    assert client.post(url, given | {"packages": "luci"}).status_code == 400
    viewer = api(factories.user(organization, "viewer"))
    assert viewer.post(url, given).status_code == 403
    stranger: User = factories.user(factories.organization(), "admin")
    assert api(stranger).get(f"{url}{row.pk}/").status_code == 404
    assert api(stranger).post(url, given).status_code == 400
    pages = Client()
    pages.force_login(owner)
    add = "/admin/firmware/imagerequest/add/"
    assert (
        "Custom image"
        in pages.get(f"/admin/firmware/build/{build.pk}/change/").content.decode()
    )
    form = {"build": str(build.pk), "device": str(device.pk), "packages": "luci, tcpdump-mini"}
    assert pages.post(add, form).status_code == 302
    newest = ImageRequest.objects.order_by("created").last()
    assert newest is not None
    assert (newest.packages, newest.author) == (["luci", "tcpdump-mini"], owner)
    listed = pages.get("/admin/firmware/imagerequest/").content.decode()
    assert "Asked for" in listed
    assert pages.get(f"/admin/firmware/imagerequest/{newest.pk}/change/").status_code == 200


OPKG = """Package: luci
Version: 1
Status: install user installed

Package: libc
Version: 1
Status: install ok installed
Auto-Installed: yes

Package: gone
Status: deinstall ok not-installed

Package: wpad-mbedtls
Status: install ok installed
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("usr/lib/opkg/status", OPKG),
        ("etc/apk/world", "luci>1\nwpad-mbedtls=2023.1-r2\n"),
    ],
)
def test_packages_are_read_without_rpcd(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    said = subprocess.run(
        ["sh", "-s"], input=SCRIPT, env={"MUSTER_ROOT": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert parse_packages(said.stdout) == ("luci", "wpad-mbedtls")


ORDER = BuildOrder("24.10.2", "ath79/generic", "example,router-v1", ("luci",))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"x"), (200, b"[]"), (200, b"[" * 100_000), (200, b"{}"), (502, b"{}"), (302, b"{}"),
        (200, b'{"bin_dir": "../x", "images": []}'), (200, b'{"bin_dir": "a", "images": [7]}'),
        (200, b'{"bin_dir": "a", "images": [{"type": "sysupgrade", "name": "../x", "sha256": 1}]}'),
    ],
)  # fmt: skip
def test_nonsense_of_a_server_is_refused(status: int, body: bytes) -> None:
    with pytest.raises(ValueError, match="server"):
        read_answer(status, body, ORDER, "")


def test_refusals_of_a_server_are_told_in_its_words() -> None:
    unknown = read_answer(
        400, b'{"detail": "Unsupported version: 9", "status": 400}', ORDER, ""
    )
    assert unknown.words == "Unsupported version: 9"
    assert read_answer(422, b'{"detail": []}', ORDER, "").words
    check_order(ORDER)
