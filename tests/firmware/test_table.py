"""The table of docs/firmware.md, row by row, on a router with dropbear and busybox."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from controller.accounts.models import Organization
from controller.base.errors import Conflict
from controller.devices.models import Device
from controller.firmware.drivers import openwrt
from controller.firmware.models import Image, Upgrade
from controller.firmware.rules.host_keys import accept_host_key
from controller.firmware.rules.upgrades import retry, start_upgrade
from tests.firmware.test_upgrades import a_device, an_image, pass_time, run, run_to_end
from tests.fleet.dropbear_device import DROPBEAR, DropbearRouter

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2", "::1", "localhost"]),
    pytest.mark.skipif(not DROPBEAR or os.geteuid() != 0, reason="needs root and dropbear"),
]
State = Upgrade.State
DOCS = Path(__file__).parents[2] / "docs/firmware.md"
MANY = timedelta(minutes=16)


@dataclass
class Scene:
    router: DropbearRouter
    device: Device
    image: Image
    options: dict[str, Any] = field(default_factory=dict)

    def begin(self) -> Upgrade:
        return run(start_upgrade(self.device, self.image, options=self.options))


@pytest.fixture
def scene(organization: Organization, tmp_path: Path) -> Iterator[Scene]:
    with DropbearRouter(tmp_path / "router") as router:
        yield Scene(router, a_device(organization, router), an_image(organization))


def goes_well(scene: Scene) -> Upgrade:
    return run_to_end(scene.begin())


def hangs(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Upgrade:
    scene.router.trouble = "hangs"
    monkeypatch.setattr(openwrt, "FLASH_SECONDS", 1.0)
    upgrade = scene.begin()
    assert upgrade.state == State.AWAY, upgrade.log
    assert "not restarted yet" in run(upgrade).reason
    folder = scene.router.folder
    (folder / "flash.request.new").rename(folder / "flash.request")
    return run_to_end(upgrade)


def never_returns(scene: Scene) -> Upgrade:
    scene.router.trouble = "never"
    upgrade = scene.begin()
    assert run(upgrade).state == State.AWAY
    pass_time(upgrade, MANY)
    with pytest.raises(Conflict):
        start_upgrade(scene.device, scene.image)
    return run(upgrade)


def returns_late(scene: Scene) -> Upgrade:
    upgrade = never_returns(scene)
    scene.router.start()
    return run_to_end(upgrade)


def troubled(name: str) -> Callable[[Scene], Upgrade]:
    def case(scene: Scene) -> Upgrade:
        scene.router.trouble = name
        return run_to_end(scene.begin())

    return case


def says_only(scene: Scene) -> Upgrade:
    scene.router.trouble = "nothing"
    upgrade = scene.begin()
    assert run(upgrade).state == State.AWAY
    pass_time(upgrade, MANY)
    return run(upgrade)


def little_memory(scene: Scene) -> Upgrade:
    scene.router.put("proc/meminfo", "MemTotal: 65536 kB\nMemAvailable: 4000 kB")
    return scene.begin()


def full_tmp(scene: Scene) -> Upgrade:
    scene.router.put("tmp_free", "900")
    return scene.begin()


def other_board(scene: Scene) -> Upgrade:
    scene.router.board = "example,router-v2"
    scene.router.run_release({})
    return scene.begin()


def refused_by_test(scene: Scene) -> Upgrade:
    scene.router.put("tmp/sysinfo/board_name", "example,other")
    return scene.begin()


def cut_image(scene: Scene) -> Upgrade:
    whole = scene.image.path.read_bytes()
    scene.image.path.write_bytes(whole[:-100])
    upgrade = scene.begin()
    scene.image.path.write_bytes(whole)
    return upgrade


def away(scene: Scene) -> Upgrade:
    scene.router.stop()
    return scene.begin()


def new_host_key(scene: Scene) -> Upgrade:
    scene.options["n"] = True
    upgrade = scene.begin()
    pass_time(upgrade, MANY)
    for _ in range(200):
        if "host key" in run(upgrade).reason:
            break
    return upgrade


def new_address(scene: Scene) -> Upgrade:
    scene.router.trouble = "moved"
    upgrade = scene.begin()
    assert run(upgrade).state == State.AWAY
    Device.objects.filter(pk=scene.device.pk).update(management_ip="127.0.0.2")
    return run_to_end(upgrade)


@dataclass(frozen=True)
class Row:
    """What the portal says: the state, words of the reason, and how often it told to flash."""

    play: Callable[..., Upgrade]
    state: State
    words: str
    flashes: int
    may_retry: bool = False


ROWS = {
    "it restarted and runs the image": Row(goes_well, State.CONFIRMED, "runs 24.10.2", 1),
    "the connection is lost while it flashes": Row(goes_well, State.CONFIRMED, "restarted", 1),
    "the connection hangs while it flashes": Row(hangs, State.CONFIRMED, "restarted", 1),
    "it is silent for 15 minutes": Row(never_returns, State.UNKNOWN, "not known whether", 1),
    "it comes back late": Row(returns_late, State.CONFIRMED, "restarted", 1),
    "it runs its former version, its files are gone": Row(
        troubled("slot"), State.FAILED, "another slot", 1, may_retry=True
    ),
    "it runs something else": Row(troubled("other"), State.FAILED, "neither", 1),
    "it restarted with its former files still there": Row(
        troubled("reboot"), State.FAILED, "without writing", 1, may_retry=True
    ),
    "it answers and has not restarted": Row(says_only, State.FAILED, "did not restart", 1),
    "it refuses to flash (status 1, 8 or 9 of `sysupgrade`)": Row(
        troubled("refused"), State.FAILED, "Invalid argument", 1, may_retry=True
    ),
    "too little memory": Row(little_memory, State.ABORTED, "of memory available", 0),
    "too little room in `/tmp`": Row(full_tmp, State.ABORTED, "free in its memory", 0),
    "another board": Row(other_board, State.ABORTED, "is a example,router-v2", 0),
    "`sysupgrade -T` refuses it on the device": Row(
        refused_by_test, State.ABORTED, "not supported by this image", 0
    ),
    "the image arrives cut short or damaged": Row(cut_image, State.QUEUED, "damaged", 0),
    "the device is away": Row(away, State.QUEUED, "", 0),
    "it shows another host key": Row(new_host_key, State.UNKNOWN, "host key", 1),
    "it comes back at another address": Row(new_address, State.CONFIRMED, "restarted", 1),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_portal_says_of_each_case_what_the_table_says(
    name: str, scene: Scene, request: pytest.FixtureRequest
) -> None:
    row = ROWS[name]
    more = {}
    if row.play is hangs:
        more["monkeypatch"] = request.getfixturevalue("monkeypatch")
    upgrade = row.play(scene, **more)
    assert upgrade.state == row.state, upgrade.log
    assert row.words in upgrade.reason
    assert scene.router.flashes == row.flashes
    assert not scene.router.has("tmp/muster-firmware.bin") or row.flashes
    if name == "it shows another host key":
        accept_host_key(upgrade)
        assert run_to_end(upgrade).state == State.CONFIRMED, upgrade.log
    if row.may_retry:
        scene.router.trouble = ""
        assert run_to_end(retry(upgrade)).state == State.CONFIRMED
    assert timezone.now() > upgrade.created


def test_the_docs_tell_of_every_case_in_the_words_of_the_pages() -> None:
    table = re.findall(r"^\| (.+?) \| (.+?) \| .+ \|$", DOCS.read_text(), re.MULTILINE)
    told = dict(table)
    for name, row in ROWS.items():
        assert name in told, name
        assert f"*{State(row.state).label}*" in told[name], name
