"""Random updates of packages with killed workers: nothing is installed twice, everything ends.

``MUSTER_MACHINE_RUNS=1000 pytest tests/firmware/test_package_machine.py`` makes a thousand runs.
"""

import random
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from controller.accounts.models import Organization
from controller.base.errors import Conflict
from controller.connections.drivers.contract import HostKey, Result
from controller.firmware.models import Upgrade
from controller.firmware.rules.package_upgrades import start_update
from controller.firmware.rules.upgrades import cancel
from tests import factories
from tests.firmware.simulated import Killed, SimulatedDevice
from tests.firmware.test_upgrade_machine import (
    LAST_STEPS,
    PER_SEED,
    RUNS,
    STEPS,
    expire,
    turn,
)

pytestmark = pytest.mark.django_db
State = Upgrade.State
OLD, NEW = "1.0-1", "1.0-2"
FATES = ("installs", "installs", "restarts", "fails", "killed", "lies", "cut")


class SimulatedHost(SimulatedDevice):
    """Host in memory that follows the commands of the driver."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(chance)
        self.fate, self.version = chance.choice(FATES), OLD
        self.folders = set[str]()
        self.is_running = self.is_restarting = False
        self.status: int | None = None

    def shell(self) -> Any:
        return SimulatedShell(self)

    def install(self, folder: str) -> None:
        """Begin as the script does: once for each folder."""
        if folder in self.folders:
            return
        self.folders.add(folder)
        self.orders += 1
        self.is_running, self.status = True, None

    def work(self) -> None:
        """Let time pass on the host."""
        if self.is_restarting:
            self.boot, self.is_restarting = uuid4().hex, False
        if not self.is_running:
            return
        self.is_running = False
        if self.fate == "cut":
            self.boot = uuid4().hex
        elif self.fate != "killed":
            self.status = 100 if self.fate == "fails" else 0
            self.version = OLD if self.fate in {"fails", "lies"} else NEW
            self.is_restarting = self.fate == "restarts"

    def report(self, folder: str) -> str:
        lines = ["system debian", "user 0", "apt /usr/bin/apt-get", f"boot_id {self.boot}"]
        lines.append(f"package ii bash {self.version} amd64")
        if folder in self.folders:
            lines.append("begun yes")
            lines += ["running yes"] if self.is_running else []
            lines += [f"status {self.status}"] if self.status is not None else []
            lines += ["restarting yes"] if self.fate == "restarts" and self.status == 0 else []
        return "\n".join(lines)


class SimulatedShell:
    host_key = HostKey("ssh-ed25519", "AAAA")

    def __init__(self, host: SimulatedHost) -> None:
        self.host, self.is_dead = host, False

    async def run(self, command: str, **_more: Any) -> Result:
        if self.is_dead:
            raise Killed
        try:
            self.host.fail()
            done = self.carry_out(command)
            self.host.fail()
        except Killed:
            self.is_dead = True
            raise
        return done

    def carry_out(self, command: str) -> Result:
        host, said = self.host, ""
        if command.startswith("sh -s -- "):
            said = host.report(command.split()[3])
        elif " -s " in command and host.version == OLD:
            said = f"Inst bash [{OLD}] ({NEW} Debian-Security:12/stable-security [amd64])"
        elif "setsid" in command:
            host.install(command.partition("/packages-")[2].partition('"')[0])
        return Result(0, said, "")


def step(host: SimulatedHost, upgrade: Upgrade, chance: random.Random) -> None:
    match chance.choice(["turn", "turn", "turn", "expire", "away", "back", "cancel", "work"]):
        case "turn":
            with suppress(Killed):
                async_to_sync(turn)(host)  # type: ignore[arg-type]
        case "expire":
            expire()
        case "away":
            host.is_away = True
        case "back":
            host.is_away = False
        case "work":
            host.work()
        case "cancel" if chance.random() < 0.3:
            with suppress(Conflict):
                cancel(upgrade)
    Upgrade.objects.update(not_before=timezone.now())


def play(organization: Organization, seed: int) -> str:
    chance = random.Random(seed)
    device = factories.device(organization, management_ip="127.0.0.1")
    login = factories.credentials(organization)
    factories.connection(device, login, port=9, update_strategy="linux-files")
    host = SimulatedHost(chance)
    upgrade = start_update(device, "security", may_restart=True)
    host.is_killing, host.is_flaky = chance.random() < 0.8, chance.random() < 0.5
    for _ in range(STEPS):
        step(host, upgrade, chance)
        assert host.orders <= 1, seed
    # From here on all goes well: everything must come to its end.
    host.is_killing = host.is_flaky = host.is_away = False
    for _ in range(LAST_STEPS):
        expire()
        Upgrade.objects.filter(sent__isnull=False).update(
            sent=timezone.now() - timedelta(minutes=2)
        )
        host.work()
        async_to_sync(turn)(host)  # type: ignore[arg-type]
    upgrade.refresh_from_db()
    assert upgrade.ended, (seed, upgrade.log)
    assert host.orders <= 1, seed
    return check(host, upgrade, seed)


def check(host: SimulatedHost, upgrade: Upgrade, seed: int) -> str:
    """Compare what the portal says with what the host did."""
    is_new = host.version == NEW
    expected = {
        State.CONFIRMED: is_new,
        State.FAILED: not is_new,
        State.CANCELLED: host.orders == 0,
    }
    found = expected.get(State(upgrade.state))
    assert found, (seed, upgrade.state, host.fate, upgrade.log)
    return str(upgrade.state)


@pytest.mark.parametrize("share", range(PER_SEED))
def test_nothing_is_installed_twice_and_everything_ends(
    organization: Organization, share: int
) -> None:
    ends = {play(organization, seed) for seed in range(share, max(RUNS, PER_SEED), PER_SEED)}
    assert ends <= {"confirmed", "failed", "cancelled"}
