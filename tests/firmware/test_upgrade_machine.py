"""Random upgrades with killed workers: nothing is flashed twice, nothing stays open for ever.

``MUSTER_MACHINE_RUNS=1000 pytest tests/firmware/test_upgrade_machine.py`` makes a thousand runs.
"""

import json
import os
import random
import re
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.utils import timezone

from controller.accounts.models import Organization
from controller.base.errors import Conflict, OutcomeUnknown
from controller.connections.drivers.contract import HostKey, Result
from controller.connections.rules import usable_connections
from controller.firmware.models import Image, Upgrade
from controller.firmware.rules import upgrade_queue
from controller.firmware.rules.upgrade_worker import Turn
from controller.firmware.rules.upgrades import cancel, start_upgrade
from tests.firmware import fleet
from tests.firmware.simulated import Killed, SimulatedDevice

pytestmark = pytest.mark.django_db
RUNS = int(os.environ.get("MUSTER_MACHINE_RUNS") or 25)
PER_SEED = 5
STEPS, LAST_STEPS = 12, 12
OLD, OTHER = ("24.10.1", "r1"), ("23.05.0", "r0")
State = Upgrade.State


class SimulatedRouter(SimulatedDevice):
    """Router in memory that follows the commands of the driver."""

    def __init__(self, chance: random.Random, image: Image) -> None:
        super().__init__(chance)
        self.image = image
        self.release = OLD
        self.markers, self.file = set[str](), b""
        self.fate = chance.choice(["image", "image", "image", "slot", "reboot", "nothing"])
        self.checksum = ""

    def shell(self) -> Any:
        return SimulatedShell(self)

    def flash(self) -> None:
        self.orders += 1
        if self.fate == "nothing":
            return
        self.boot, self.is_away = uuid4().hex, True
        if self.fate != "reboot":
            self.markers.clear()
            self.release = (
                OLD if self.fate == "slot" else (self.image.version, self.image.revision)
            )

    def report(self) -> str:
        version, revision = self.release
        board = {
            "board_name": fleet.BOARD,
            "release": {"version": version, "revision": revision, "target": "ath79/generic"},
        }
        lines = [f"board_json {json.dumps(board)}", f"boot_id {self.boot}"]
        lines += [f"marker {one}" for one in self.markers]
        return "\n".join([*lines, f"checksum {self.checksum}"])


class SimulatedShell:
    host_key = HostKey("ssh-ed25519", "AAAA")

    def __init__(self, router: SimulatedRouter) -> None:
        self.router = router
        self.is_dead = False

    async def run(
        self, command: str, *, feed: Any = None, on_output: Any = None, **_more: Any
    ) -> Result:
        if self.is_dead:
            raise Killed
        try:
            self.router.fail()
            done = await self.carry_out(command, feed, on_output)
            self.router.fail()
        except Killed:
            self.is_dead = True
            raise
        return done

    async def carry_out(  # noqa: C901 - one branch for each command
        self, command: str, feed: Any, on_output: Any
    ) -> Result:
        router, said = self.router, ""
        if command == "sh -s":
            said = router.report()
        elif feed is not None:
            router.file = b"".join([part async for part in feed])
        elif command.startswith("sysupgrade -b"):
            on_output(b"\x1f\x8b settings")
        elif command.startswith("sha256sum"):
            said = f"{router.image.sha256}  file"
        elif found := re.search(r": >.*\.muster-upgrade-(\w+)", command):
            router.markers.add(found[1])
        elif "firmware_checksum" in command:
            router.checksum = router.image.sha256
            router.markers.clear()
        elif found := re.match(r"rm -f .*muster-firmware.bin.*\.muster-upgrade-(\w+)", command):
            router.markers.discard(found[1])
        elif "openwisp/checksum" in command:
            router.flash()
            raise OutcomeUnknown("The connection was lost.")
        return Result(0, said, "")


async def turn(router: SimulatedRouter) -> None:
    """Do what is due with a worker that may be killed."""
    worker = Turn(router.connect)
    for row in await sync_to_async(upgrade_queue.lease_due)(worker.holder):
        ways = await sync_to_async(usable_connections)([row.device_id])
        await worker.serve(row, ways[row.device_id])


def step(router: SimulatedRouter, upgrade: Upgrade, chance: random.Random) -> None:
    what = chance.choice(["turn", "turn", "turn", "expire", "away", "back", "cancel", "late"])
    match what:
        case "turn":
            with suppress(Killed):
                async_to_sync(turn)(router)
        case "expire":
            expire()
        case "away" | "back":
            router.is_away = what == "away"
        case "cancel" if chance.random() < 0.3:
            with suppress(Conflict):
                cancel(upgrade)
        case "late":
            Upgrade.objects.filter(sent__isnull=False).update(
                sent=timezone.now() - timedelta(minutes=chance.choice([1, 11, 16]))
            )
    Upgrade.objects.update(not_before=timezone.now())


def expire() -> None:
    Upgrade.objects.filter(leased_until__isnull=False).update(
        leased_until=timezone.now() - timedelta(seconds=1)
    )
    upgrade_queue.reconcile()
    Upgrade.objects.update(not_before=timezone.now())


def play(organization: Organization, image: Image, seed: int) -> str:
    chance = random.Random(seed)
    device = fleet.device(organization)
    router = SimulatedRouter(chance, image)
    upgrade = start_upgrade(device, image)
    router.is_killing, router.is_flaky = chance.random() < 0.8, chance.random() < 0.5
    for _ in range(STEPS):
        step(router, upgrade, chance)
        assert router.orders <= 1, seed
    # From here on all goes well: everything must come to its end.
    router.is_killing = router.is_flaky = router.is_away = False
    for _ in range(LAST_STEPS):
        expire()
        Upgrade.objects.filter(sent__isnull=False).update(
            sent=timezone.now() - timedelta(minutes=11)
        )
        async_to_sync(turn)(router)
        router.is_away = False
    upgrade.refresh_from_db()
    assert upgrade.ended, (seed, upgrade.log)
    assert router.orders <= 1, seed
    assert not upgrade.lease_holder, seed
    return check(router, upgrade, seed)


def check(router: SimulatedRouter, upgrade: Upgrade, seed: int) -> str:
    """Compare what the portal says with what the router did."""
    runs_image = router.release == (router.image.version, router.image.revision)
    expected = {
        State.CONFIRMED: runs_image,
        State.FAILED: not runs_image,
        State.CANCELLED: router.orders == 0,
        State.ABORTED: router.orders == 0,
    }
    assert expected.get(State(upgrade.state)), (seed, upgrade.state, router.fate, upgrade.log)
    return str(upgrade.state)


@pytest.mark.parametrize("share", range(PER_SEED))
def test_nothing_is_flashed_twice_and_everything_ends(
    organization: Organization, share: int
) -> None:
    image = fleet.add_image(fleet.build(organization))
    ends = {
        play(organization, image, seed) for seed in range(share, max(RUNS, PER_SEED), PER_SEED)
    }
    assert ends <= {"confirmed", "failed", "cancelled", "aborted"}
