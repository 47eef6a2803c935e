"""Firmware in the admin: uploads, who fits, rollouts, upgrades, the device's tab."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.devices.models import Device
from controller.firmware.models import Build, FirmwareRollout, GatewayRollout, Image, Upgrade
from controller.firmware.rules import rollouts
from controller.monitoring.models import MonitoredDevice
from supervisor_proxy.models import UpdateCampaign
from tests import factories
from tests.firmware import fleet
from tests.firmware.images import PAYLOAD, image

pytestmark = pytest.mark.django_db
ADMIN = "/admin/firmware"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner(organization: Organization) -> User:
    return factories.user(organization, "admin", is_staff=True)


@pytest.fixture
def client(owner: User) -> Client:
    return signed_in(owner)


def shown(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, url
    return answer.content.decode()


def upload(client: Client, build: Build, data: bytes, name: str = "x-sysupgrade.bin") -> Any:
    values = {"build": str(build.pk), "file": SimpleUploadedFile(name, data), "kind": ""}
    return client.post(f"{ADMIN}/image/add/", values)


def test_an_image_is_uploaded_and_what_was_read_is_shown(
    client: Client, organization: Organization
) -> None:
    category = {"organization": str(organization.pk), "name": "access points"}
    assert client.post(f"{ADMIN}/category/add/", category).status_code == 302
    build = fleet.build(organization)
    fleet.device(organization, name="fits-it")
    fleet.device(organization, "example,other", name="is-other")
    assert upload(client, build, image()).status_code == 302
    page = shown(client, f"{ADMIN}/image/{Image.objects.get().pk}/change/")
    for text in ("example,router-v1", "r28739", "ath79/generic", "Not signed", "Does not fit"):
        assert text in page, text
    assert page.index("fits-it") < page.index("is-other")
    page = shown(client, f"{ADMIN}/build/{build.pk}/change/")
    assert "Roll out" in page
    for name in ("category", "build", "image", "upgrade", "firmwarerollout"):
        shown(client, f"{ADMIN}/{name}/")


def test_a_bad_image_is_refused_in_the_form(client: Client, organization: Organization) -> None:
    answer = upload(client, fleet.build(organization), b"\x01" + image()[1:])
    assert answer.status_code == 200
    assert "damaged or cut" in answer.content.decode()
    assert not Image.objects.exists()


def test_a_person_confirms_a_board_of_an_image_without_metadata(
    client: Client, organization: Organization
) -> None:
    upload(client, fleet.build(organization), PAYLOAD)
    row = Image.objects.get()
    url = f"{ADMIN}/image/{row.pk}"
    assert "names no boards" in shown(client, f"{url}/change/")
    assert client.post(f"{url}/confirm/", {"board": "pc-engines-apu2"}).status_code == 302
    assert row.facts.confirmed_boards == {"pc-engines-apu2"}
    assert "confirmed by" in shown(client, f"{url}/change/")


def test_a_rollout_shows_who_is_left_out_and_why_and_then_its_progress(
    client: Client, organization: Organization
) -> None:
    build = fleet.build(organization)
    fleet.add_image(build)
    fleet.device(organization, name="reached")
    lonely = fleet.device(organization, name="compat")
    lonely.firmware_system.compat_version = "2.0"  # type: ignore[attr-defined]
    lonely.firmware_system.save()  # type: ignore[attr-defined]
    values = {
        "build": str(build.pk), "upgrade_all": "on", "waves": "1, 100%", "pause": "60",
        "allowed": "0", "flags": ["n"], "is_persistent": "on", "window": "",
    }  # fmt: skip
    answer = client.post(f"{ADMIN}/firmwarerollout/add/", values | {"waves": "1"})
    assert "The last wave must be 100%" in answer.content.decode()
    assert client.post(f"{ADMIN}/firmwarerollout/add/", values).status_code == 302
    row = FirmwareRollout.objects.get()
    assert (row.options, row.waves) == ({"n": True}, ["1", "100%"])
    url = f"{ADMIN}/firmwarerollout/{row.pk}"
    page = shown(client, f"{url}/change/")
    assert "1 device will be upgraded" in page
    assert "1 device will be left out" in page
    assert "can only be installed by hand" in page
    assert client.post(f"{url}/move/", {"verb": "start"}).status_code == 302
    page = shown(client, f"{url}/progress/")
    assert "Running" in page
    page = shown(client, f"{url}/progress/?show=Left%20out")
    assert "can only be installed by hand" in page
    client.post(f"{url}/move/", {"verb": "stop"})
    assert "Stopped" in shown(client, f"{url}/change/")


def test_the_tab_of_a_device_starts_an_upgrade_and_its_page_cancels_and_repeats_it(
    client: Client, organization: Organization
) -> None:
    device = fleet.device(organization)
    row = fleet.add_image(fleet.build(organization))
    page = shown(client, f"/admin/devices/device/{device.pk}/change/")
    assert 'data-tab="firmware"' in page
    assert str(row.pk) in page
    url = f"{ADMIN}/image/device/{device.pk}"
    client.post(f"{url}/upgrade/", {"image": "nonsense"})
    assert not Upgrade.objects.exists()
    client.post(f"{url}/upgrade/", {"image": str(row.pk), "flags": ["n"]})
    upgrade = Upgrade.objects.get()
    assert upgrade.options == {"n": True}
    move = f"{ADMIN}/upgrade/{upgrade.pk}/move/"
    assert "Cancel" in shown(client, f"{ADMIN}/upgrade/{upgrade.pk}/change/")
    client.post(move, {"verb": "cancel"})
    assert "Cancelled by a user." in shown(client, f"{ADMIN}/upgrade/{upgrade.pk}/progress/")
    assert client.post(move, {"verb": "retry"}).status_code == 302
    assert Upgrade.objects.filter(state="queued").count() == 1
    assert client.post(f"{url}/read/").status_code == 302


def test_who_may_only_read_starts_nothing(organization: Organization, client: Client) -> None:
    device = fleet.device(organization)
    row = fleet.add_image(fleet.build(organization))
    viewer = signed_in(factories.user(organization, "viewer", is_staff=True))
    assert 'data-tab="firmware"' in shown(viewer, f"/admin/devices/device/{device.pk}/change/")
    values = {"image": str(row.pk)}
    assert viewer.post(f"{ADMIN}/image/device/{device.pk}/upgrade/", values).status_code == 404
    assert viewer.get(f"{ADMIN}/firmwarerollout/add/").status_code == 403
    stranger = signed_in(factories.user(factories.organization(), "admin", is_staff=True))
    answer = stranger.get(f"{ADMIN}/image/{row.pk}/change/")
    assert answer.status_code in {302, 404}
    assert not Upgrade.objects.exists()
    assert Device.objects.count() == 1


def test_only_those_who_may_change_connections_decide_on_host_keys(
    organization: Organization,
) -> None:
    device = fleet.device(organization)
    row = Upgrade.objects.create(
        device=device, image_name="x", sha256="0" * 64, size=1, state="unknown",
        sent=timezone.now(), options={"n": True},
    )  # fmt: skip
    viewer = factories.user(organization, "viewer", is_staff=True)
    url = f"{ADMIN}/upgrade/{row.pk}/move/"
    for verb in ("accept-key", "replaced"):
        assert signed_in(viewer).post(url, {"verb": verb}).status_code == 403
    owner = factories.user(organization, "admin", is_staff=True)
    device.connections.update(host_key="ssh-ed25519 AAAA")
    assert signed_in(owner).post(url, {"verb": "replaced"}).status_code == 302
    assert device.connections.get().host_key == ""
    row.refresh_from_db()
    assert row.state == "failed"


def test_health_before_and_now_is_compared_and_all_kinds_stand_on_one_page(
    client: Client, organization: Organization, owner: User
) -> None:
    build = fleet.build(organization)
    fleet.add_image(build)
    devices = [fleet.device(organization) for _ in range(3)]
    row = rollouts.start(rollouts.create_rollout(build, upgrade_all=True, waves=["100%"]))
    now = timezone.now()
    Upgrade.objects.update(
        state="confirmed", sent=now - timedelta(seconds=90), ended=now, health_before="ok"
    )
    for device, health in zip(devices, ("ok", "critical", "ok"), strict=True):
        MonitoredDevice.objects.update_or_create(device=device, defaults={"health": health})
    client.force_login(owner)
    shown = client.get(f"/admin/firmware/firmwarerollout/{row.pk}/progress/").content.decode()
    table = re.sub(r"<[^>]+>|\s+", " ", shown).split("Now", 1)[1]
    assert re.match(r"[\s]*OK\s+3\s+2\s+Problem\s+0\s+0\s+Critical\s+0\s+1", table), table
    assert "0:01:30" in shown
    UpdateCampaign.objects.create(organization=organization, name="Homes of June")
    GatewayRollout.objects.create(organization=organization, vendor="opnsense", targets="a")
    page = client.get("/admin/firmware/firmwarerollout/all/").content.decode()
    for words in ("Homes of June", "OPNsense", build.version):
        assert words in page
    stranger = factories.user(factories.organization(), "admin", is_staff=True)
    client.force_login(stranger)
    page = client.get("/admin/firmware/firmwarerollout/all/").content.decode()
    assert "Homes of June" not in page
    assert "There is no rollout yet." in page
