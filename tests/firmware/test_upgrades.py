"""Upgrades of a stand-in router over real SSH: what goes well, and what does not."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from controller.accounts.models import Organization
from controller.base.errors import Conflict
from controller.base.leases import LeaseHolder
from controller.configs.models import Push
from controller.connections.models import DeviceConnection
from controller.devices.models import Device
from controller.firmware.models import (
    UPGRADES,
    Build,
    Category,
    DeviceFirmware,
    DeviceSystem,
    Image,
    Upgrade,
)
from controller.firmware.rules import image_uploads, system_facts, upgrade_queue, upgrade_worker
from controller.firmware.rules.upgrades import (
    assign_image,
    cancel,
    give_up,
    retry,
    start_upgrade,
)
from tests import factories
from tests.firmware.images import image as image_bytes
from tests.firmware.images import metadata
from tests.fleet.router_device import Router

pytestmark = pytest.mark.django_db(transaction=True)
State = Upgrade.State
MINUTES = timedelta(minutes=1)


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with Router(tmp_path / "router") as router:
        yield router


@pytest.fixture
def device(organization: Organization, router: Router) -> Device:
    return a_device(organization, router)


def a_device(organization: Organization, router: Router) -> Device:
    row = factories.device(organization, management_ip=router.host, config={})
    credentials = factories.credentials(
        organization, params={"username": router.username, "key": router.private_key}
    )
    factories.connection(row, credentials, port=router.port, update_strategy="openwrt-agent")
    return row


def an_image(organization: Organization, data: bytes | None = None, **values: Any) -> Image:
    category, _ = Category.objects.get_or_create(organization=organization, name="all")
    build = Build.objects.create(category=category, version=str(Build.objects.count()))
    return image_uploads.add_image(
        build, name="x-sysupgrade.bin", parts=[data or image_bytes(metadata(**values))]
    )


def run(upgrade: Upgrade) -> Upgrade:
    """Do what is due now, as if all pauses were over."""
    Upgrade.objects.filter(pk=upgrade.pk).update(not_before=timezone.now())
    upgrade_worker.run_upgrades()
    upgrade.refresh_from_db()
    return upgrade


def run_to_end(upgrade: Upgrade, most: int = 200) -> Upgrade:
    for _ in range(most):
        if run(upgrade).ended:
            break
    return upgrade


def pass_time(upgrade: Upgrade, span: timedelta) -> None:
    Upgrade.objects.filter(pk=upgrade.pk).update(sent=timezone.now() - span)


def test_a_router_is_upgraded_and_proves_it(
    organization: Organization, device: Device, router: Router
) -> None:
    router.put("etc/openwisp/checksum", "of the configuration")
    image = an_image(organization)
    row, is_new = assign_image(device, image)
    assert (is_new, row.installed) == (True, False)
    upgrade = run(Upgrade.objects.get())
    assert (upgrade.state, router.flashes) == (State.AWAY, 1), upgrade.log
    assert upgrade.sent
    run_to_end(upgrade)
    assert upgrade.state == State.CONFIRMED, upgrade.log
    assert "runs 24.10.2 r28739-d9340319c6" in upgrade.reason
    row.refresh_from_db()
    assert row.installed
    assert row.proved
    system = DeviceSystem.objects.get(device=device)
    assert (system.board, system.revision) == (router.board, image.revision)
    assert (router.root / "etc/openwisp/firmware_checksum").read_text().strip() == image.sha256
    assert not router.has("etc/openwisp/checksum")
    assert DeviceConnection.objects.get().host_key == router.host_key
    assert not Push.objects.exists()
    # Again: nothing is started, and an upgrade by hand finds it installed.
    assert assign_image(device, image) == (row, False)
    again = run(start_upgrade(device, image))
    assert (again.state, router.flashes) == (State.CONFIRMED, 1), again.log


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("reboot", "restarted without writing"),
        ("slot", "its former firmware"),
        ("other", "neither the image nor"),
    ],
)
def test_a_device_that_comes_back_without_the_image_has_failed(
    organization: Organization, device: Device, router: Router, trouble: str, words: str
) -> None:
    router.trouble = trouble
    upgrade = run_to_end(start_upgrade(device, an_image(organization)))
    assert (upgrade.state, router.flashes) == (State.FAILED, 1), upgrade.log
    assert words in upgrade.reason
    assert not DeviceFirmware.objects.filter(installed=True).exists()
    router.trouble = ""
    upgrade = run_to_end(retry(upgrade))
    assert (upgrade.state, router.flashes) == (State.CONFIRMED, 2), upgrade.log


def test_a_device_that_never_comes_back_is_unknown_and_may_still_be_confirmed(
    organization: Organization, device: Device, router: Router
) -> None:
    router.trouble = "never"
    upgrade = run(start_upgrade(device, an_image(organization)))
    assert run(upgrade).state == State.AWAY
    pass_time(upgrade, 16 * MINUTES)
    assert run(upgrade).state == State.UNKNOWN
    assert "not known whether" in upgrade.reason
    assert upgrade.not_before > timezone.now() + 4 * MINUTES
    with pytest.raises(Conflict, match="already started"):
        cancel(upgrade)
    with pytest.raises(Conflict, match="under way"):
        start_upgrade(device, an_image(organization))
    router.trouble = ""
    router.start()
    assert run_to_end(upgrade).state == State.CONFIRMED, upgrade.log
    assert router.flashes == 1


def test_a_lost_device_is_given_up_by_a_person_or_after_thirty_days(
    organization: Organization, device: Device, router: Router
) -> None:
    router.trouble = "never"
    upgrade = run(start_upgrade(device, an_image(organization)))
    pass_time(upgrade, 31 * 24 * 60 * MINUTES)
    assert run(upgrade).state == State.FAILED
    assert "not seen for 30 days" in upgrade.reason
    router.start()
    upgrade = run(start_upgrade(device, an_image(organization)))
    pass_time(upgrade, 16 * MINUTES)
    assert run(upgrade).state == State.UNKNOWN
    assert give_up(upgrade).state == State.FAILED


def test_a_device_that_says_it_flashes_and_does_not_has_failed_after_ten_minutes(
    organization: Organization, device: Device, router: Router
) -> None:
    router.trouble = "nothing"
    upgrade = run(start_upgrade(device, an_image(organization)))
    assert (upgrade.state, "ended with 10" in upgrade.reason) == (State.AWAY, True)
    assert run(upgrade).state == State.AWAY
    assert "not restarted yet" in upgrade.reason
    pass_time(upgrade, 11 * MINUTES)
    assert run(upgrade).state == State.FAILED
    assert "did not restart within 10 minutes" in upgrade.reason


def test_a_device_that_refuses_to_flash_has_failed_at_once(
    organization: Organization, device: Device, router: Router
) -> None:
    router.trouble = "refused"
    upgrade = run(start_upgrade(device, an_image(organization)))
    assert upgrade.state == State.FAILED
    assert "Invalid argument" in upgrade.reason
    assert not list((router.root / "root").iterdir())
    assert not router.has("tmp/muster-firmware.bin")


def low_memory(router: Router) -> None:
    router.put("proc/meminfo", "MemTotal: 65536 kB\nMemFree: 4000 kB\n")


def low_tmp(router: Router) -> None:
    router.put("tmp_free", "900")


def other_board(router: Router) -> None:
    router.board = "example,router-v2"
    router.run_release({})
    router.put("tmp/sysinfo/board_name", router.board)


def other_agent(router: Router) -> None:
    router.put("uci/openwisp.http.uuid", "0" * 32)


def other_compat(router: Router) -> None:
    router.put("uci/system.@system[0].compat_version", "1.1")


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (low_memory, "of memory available"),
        (low_tmp, "free in its memory for files"),
        (other_board, "is a example,router-v2; the image is for example,router-v1"),
        (other_agent, "Another device answers"),
        (other_compat, "settings cannot be kept"),
    ],
)
def test_an_unfit_device_is_left_as_it_is_and_the_reason_told(
    organization: Organization, device: Device, router: Router, prepare: Any, words: str
) -> None:
    prepare(router)
    upgrade = run(start_upgrade(device, an_image(organization)))
    assert upgrade.state == State.ABORTED
    assert words in upgrade.reason
    assert router.flashes == 0
    assert not router.has("tmp/muster-firmware.bin")


def test_the_device_has_the_last_word_before_the_flash(
    organization: Organization, device: Device, router: Router
) -> None:
    image = an_image(organization)
    # The portal takes the board from ubus, the device from its own file.
    router.put("tmp/sysinfo/board_name", "example,other")
    upgrade = run(start_upgrade(device, image))
    assert upgrade.state == State.ABORTED
    assert "Device example,other not supported by this image" in upgrade.reason
    assert router.flashes == 0


def test_an_image_that_arrives_damaged_is_sent_again(
    organization: Organization, device: Device, router: Router
) -> None:
    image = an_image(organization)
    whole = image.path.read_bytes()
    image.path.write_bytes(whole[:-100])
    upgrade = run(start_upgrade(device, image))
    assert (upgrade.state, upgrade.sent) == (State.QUEUED, None)
    assert "damaged on the way" in upgrade.reason
    assert not router.has("tmp/muster-firmware.bin")
    image.path.write_bytes(whole)
    assert run_to_end(upgrade).state == State.CONFIRMED, upgrade.log


def test_resetting_settings_pushes_the_configuration_again_once_the_new_key_is_accepted(
    organization: Organization, device: Device, router: Router
) -> None:
    system_facts.read_systems([device.pk])
    upgrade = run(start_upgrade(device, an_image(organization), options={"n": True}))
    assert upgrade.state == State.AWAY, upgrade.log
    run(upgrade)
    DeviceConnection.objects.update(host_key=factories_key(router))
    pass_time(upgrade, 16 * MINUTES)
    assert run(upgrade).state == State.UNKNOWN
    assert "host key" in upgrade.reason
    DeviceConnection.objects.update(host_key="")
    assert run_to_end(upgrade).state == State.CONFIRMED, upgrade.log
    assert Push.objects.filter(config__device=device).exists()


def factories_key(router: Router) -> str:
    """Return a host key that is not the router's."""
    return "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2YDLvvJQyHhmLpDT2Yh5cHPHkQXYxRnN7QmWq0dZ3b"


def test_an_unknown_flag_is_refused_before_anything_is_sent(
    organization: Organization, device: Device, router: Router
) -> None:
    text = (router.folder / "bin/sysupgrade").read_text().replace("f c o u n p k", "f c o n p")
    (router.folder / "bin/sysupgrade").write_text(text)
    upgrade = run(start_upgrade(device, an_image(organization), options={"k": True}))
    assert upgrade.state == State.ABORTED
    assert "has no option -k" in upgrade.reason


def test_a_device_that_is_away_waits_with_growing_pauses_and_goes_on_when_it_is_back(
    organization: Organization, device: Device, router: Router
) -> None:
    router.stop()
    upgrade = start_upgrade(device, an_image(organization))
    pauses = []
    for _ in range(4):
        run(upgrade)
        assert (upgrade.state, upgrade.sent) == (State.QUEUED, None)
        pauses.append(upgrade.not_before - timezone.now())
    assert pauses == sorted(pauses)
    assert pauses[-1] > 4 * pauses[0]
    router.start()
    device.presence.state, device.presence.since = "online", timezone.now()
    device.presence.save()
    upgrade_queue.reconcile()
    upgrade.refresh_from_db()
    assert upgrade.not_before <= timezone.now()
    assert run_to_end(upgrade).state == State.CONFIRMED, upgrade.log


def test_a_cancelled_upgrade_is_not_flashed_even_by_the_worker_that_has_it(
    organization: Organization, device: Device, router: Router
) -> None:
    upgrade = start_upgrade(device, an_image(organization))
    holder: LeaseHolder[Upgrade] = LeaseHolder(UPGRADES)
    (leased,) = upgrade_queue.lease_due(holder)
    assert cancel(upgrade).state == State.CANCELLED
    assert holder.mark_sent(leased.pk) == 0
    assert run(upgrade).state == State.CANCELLED
    assert router.flashes == 0
    with pytest.raises(Conflict, match="with status: cancelled"):
        cancel(upgrade)
