"""Updates of Debian hosts by apt, on a stand-in host over real SSH."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from controller.accounts.models import Organization
from controller.base.errors import Conflict, Refused
from controller.base.leases import LeaseHolder
from controller.devices.models import Device
from controller.firmware.engine.apt import (
    HostReport,
    PlannedPackage,
    judge_packages,
    parse_host,
    parse_plan,
)
from controller.firmware.models import UPGRADES, FirmwarePolicy, FirmwareRollout, Upgrade
from controller.firmware.rules import package_upgrades, rollouts, upgrade_queue
from controller.firmware.rules.approvals import approve_upgrade
from controller.firmware.rules.chart_events import events_of
from controller.firmware.rules.upgrades import cancel, retry
from tests import factories
from tests.firmware import fleet
from tests.firmware.test_upgrades import pass_time, run, run_to_end
from tests.fleet.debian_host import DebianHost

pytestmark = pytest.mark.django_db(transaction=True)
State = Upgrade.State
NEW = {"libssl3": "3.0.22-1~deb12u2", "libcap2": "1:2.66-4+deb12u3+b1"}
KERNEL = "linux-image-6.1.0-40-amd64"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[DebianHost]:
    with DebianHost(tmp_path / "host") as host:
        yield host


@pytest.fixture
def device(organization: Organization, host: DebianHost) -> Device:
    return a_host(organization, host)


def a_host(organization: Organization, host: DebianHost, **values: Any) -> Device:
    row = factories.device(organization, management_ip=host.host, **values)
    credentials = factories.credentials(
        organization, params={"username": host.username, "key": host.private_key}
    )
    factories.connection(row, credentials, port=host.port, update_strategy="linux-files")
    return row


def begin(device: Device, which: str = "security", **values: Any) -> Upgrade:
    return run(package_upgrades.start_update(device, which, **values))


def test_a_host_gets_its_security_updates_and_proves_it(
    device: Device, host: DebianHost
) -> None:
    upgrade = begin(device)
    assert upgrade.state == State.AWAY, upgrade.log
    run_to_end(upgrade)
    assert upgrade.state == State.CONFIRMED, upgrade.log
    assert {name: host.packages[name] for name in NEW} == NEW
    assert host.packages["bash"] == "5.2.15-2+b8"
    assert "2 of 2 packages are installed" in upgrade.reason
    assert "libssl3 3.0.19-1~deb12u2 → 3.0.22-1~deb12u2" in upgrade.log
    assert host.auto == set(NEW)
    assert len(host.installs) == 1
    assert not list((host.root / "var/lib/muster").iterdir())
    # Simulated, downloaded and the lock waited for before anything was changed.
    kinds = ("update", "-s upgrade", "-s install", "--download-only", "check", "--no-remove")
    found = [next(one for one in kinds if one in line) for line in host.commands]
    assert found == list(kinds)
    marked = events_of(device, 0, int(timezone.now().timestamp()) + 60)
    assert [one["text"] for one in marked] == ["Security updates: installed"]
    again = run_to_end(begin(device))
    assert (again.state, again.sent) == (State.CONFIRMED, None)
    assert "no update" in again.reason


def test_all_updates_bring_new_packages_and_a_restart_that_is_permitted(
    device: Device, host: DebianHost
) -> None:
    host.add_kernel()
    boot = (host.root / "proc/sys/kernel/random/boot_id").read_text()
    upgrade = run_to_end(begin(device, "all", may_restart=True))
    assert upgrade.state == State.CONFIRMED, upgrade.log
    assert "The host restarted." in upgrade.reason
    assert host.packages[KERNEL] == "6.1.153-1"
    assert host.packages["bash"] == "5.2.15-2+b13"
    assert host.restarts == 1
    assert (host.root / "proc/sys/kernel/random/boot_id").read_text() != boot


def test_a_restart_that_is_not_permitted_is_told(device: Device, host: DebianHost) -> None:
    host.add_kernel()
    upgrade = run_to_end(begin(device, "all"))
    assert upgrade.state == State.CONFIRMED, upgrade.log
    assert "must be restarted" in upgrade.reason
    assert host.restarts == 0


def test_held_packages_are_left_alone_and_told(device: Device, host: DebianHost) -> None:
    host.put("apt/held", "libssl3")
    upgrade = run_to_end(begin(device, "all"))
    assert upgrade.state == State.CONFIRMED, upgrade.log
    assert "Held on the host, and left alone: libssl3." in upgrade.log
    assert host.packages["libssl3"] == "3.0.19-1~deb12u2"
    assert host.packages["libcap2"] == NEW["libcap2"]


def test_the_lock_of_dpkg_is_waited_for(
    device: Device, host: DebianHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    from controller.firmware.drivers import debian

    host.put("apt/lock", "unattended-upgrades")
    monkeypatch.setattr(debian, "LOCK", "-o DPkg::Lock::Timeout=1")
    upgrade = begin(device)
    assert (upgrade.state, upgrade.sent) == (State.QUEUED, None), upgrade.log
    assert "Could not get lock" in upgrade.reason
    assert not host.installs
    host.remove("apt/lock")
    assert run_to_end(upgrade).state == State.CONFIRMED, upgrade.log


def test_an_installation_goes_on_without_its_connection_and_its_worker(
    device: Device, host: DebianHost
) -> None:
    host.put("apt/hold-on", "")
    upgrade = begin(device)
    assert upgrade.state == State.AWAY
    # The worker dies and the connection with it: another one only asks.
    host.stop()
    assert "Connection refused" in run(upgrade).reason or upgrade.state == State.AWAY
    pass_time(upgrade, timedelta(minutes=16))
    assert run(upgrade).state == State.UNKNOWN
    host.start()
    assert run(upgrade).state == State.AWAY
    assert "at work" in upgrade.reason
    host.remove("apt/hold-on")
    assert run_to_end(upgrade).state == State.CONFIRMED, upgrade.log
    assert len(host.installs) == 1


def test_a_worker_that_dies_before_the_installation_leaves_nothing(
    device: Device, host: DebianHost
) -> None:
    upgrade = package_upgrades.start_update(device, "security")
    assert upgrade_queue.lease_due(LeaseHolder(UPGRADES))
    Upgrade.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    upgrade_queue.reconcile()
    upgrade.refresh_from_db()
    assert (upgrade.state, upgrade.sent) == (State.QUEUED, None)
    assert run_to_end(upgrade).state == State.CONFIRMED
    assert len(host.installs) == 1


@pytest.mark.parametrize(
    ("trouble", "state", "words", "installs"),
    [
        ("offline", State.QUEUED, "Temporary failure resolving", 0),
        ("no space", State.QUEUED, "free space", 0),
        ("removes", State.ABORTED, "would remove exim4", 0),
        ("libcap2", State.FAILED, "returned an error code (1) 1 of 2", 1),
        ("killed", State.FAILED, "killed on the host. 0 of 2", 1),
        ("lies", State.FAILED, "libssl3, libcap2 lack the new version", 1),
    ],
)
def test_what_goes_wrong_is_said_in_the_words_of_apt(
    device: Device, host: DebianHost, trouble: str, state: str, words: str, installs: int
) -> None:
    host.trouble = trouble
    upgrade = begin(device)
    for _ in range(100):
        if upgrade.ended or state == State.QUEUED:
            break
        # As if a minute had passed: from then on a dead installation is believed.
        pass_time(upgrade, timedelta(minutes=2))
        run(upgrade)
    assert upgrade.state == state, upgrade.log
    assert words in upgrade.reason
    assert len(host.installs) == installs
    if upgrade.ended:
        host.trouble = "none"
        (host.root / "apt/broken").unlink(missing_ok=True)
        assert run_to_end(retry(upgrade)).state == State.CONFIRMED


def test_a_host_with_half_installed_packages_is_left_alone(
    device: Device, host: DebianHost
) -> None:
    host.put("apt/broken", "exim4")
    upgrade = begin(device)
    assert upgrade.state == State.ABORTED
    assert "half installed" in upgrade.reason
    assert not host.commands


def test_a_restart_that_does_not_come_back_is_unknown(device: Device, host: DebianHost) -> None:
    host.add_kernel()
    host.trouble = "never"
    upgrade = begin(device, "all", may_restart=True)
    for _ in range(200):
        if not host.running:
            break
        run(upgrade)
    pass_time(upgrade, timedelta(minutes=16))
    assert run(upgrade).state == State.UNKNOWN
    host.start()
    assert run_to_end(upgrade).state == State.CONFIRMED, upgrade.log


def test_it_is_cancelled_approved_and_refused_as_every_upgrade(
    organization: Organization, device: Device, host: DebianHost
) -> None:
    upgrade = package_upgrades.start_update(device, "all")
    with pytest.raises(Conflict):
        package_upgrades.start_update(device, "all")
    assert cancel(upgrade).state == State.CANCELLED
    author = factories.user(organization, "admin")
    FirmwarePolicy.objects.create(organization=organization, needs_approval=True)
    proposed = package_upgrades.start_update(device, "security", author=author)
    assert run(proposed).state == State.PROPOSED
    approve_upgrade(proposed, by=factories.user(organization, "admin"))
    assert run_to_end(proposed).state == State.CONFIRMED
    with pytest.raises(Refused, match="files are pushed over SSH"):
        package_upgrades.start_update(fleet.device(organization), "all")
    with pytest.raises(Refused, match="Either security or all"):
        package_upgrades.start_update(device, "some")


def test_hosts_are_updated_in_waves(
    organization: Organization, device: Device, host: DebianHost, tmp_path: Path
) -> None:
    fleet.device(organization)
    with DebianHost(tmp_path / "second") as second:
        other = a_host(organization, second)
        row = rollouts.create_package_rollout(
            organization, "security", waves=["1", "100%"], pause=1
        )
        assert {one.device for one in rollouts.candidates(row)} == {device, other}
        rollouts.start(row)
        first, last = row.upgrades.order_by("wave")
        run_to_end(first)
        assert first.state == State.CONFIRMED, first.log
        Upgrade.objects.update(watched_until=None)
        past = timezone.now() - timedelta(minutes=1)
        FirmwareRollout.objects.update(wave_started=past)
        assert rollouts.advance(row.pk).wave == 1
        second.trouble = "libssl3"
        for _ in range(100):
            if run(last).ended:
                break
        assert last.state == State.FAILED, last.log
        halted = rollouts.advance(row.pk)
        assert halted.state == "halted"
        assert halted.cargo == "Security updates"


def test_a_rollout_has_hosts_of_its_organization_alone(organization: Organization) -> None:
    with pytest.raises(Refused, match="No devices"):
        rollouts.create_package_rollout(organization, "all")
    foreign = factories.group(factories.organization())
    with pytest.raises(Refused, match="another organization"):
        rollouts.create_package_rollout(organization, "all", group=foreign)
    with pytest.raises(Refused, match="Either"):
        rollouts.create_package_rollout(organization, "some")


# Lines that apt 2.6.1 of Debian 12 printed.
SAID = """Reading package lists...
The following packages have been kept back:
  linux-image-amd64 qemu-utils
  vim
The following packages will be upgraded:
  bash libpam-modules-bin
Inst bash [5.2.15-2+b8] (5.2.15-2+b13 Debian:12.15/oldstable [amd64])
Conf bash (5.2.15-2+b13 Debian:12.15/oldstable [amd64])
Inst libgcrypt20-dev [1.10.1-3] (1.10.1-3+deb12u1 Debian:12.15/oldstable, Debian-Security:12/oldstable-security [amd64]) []
Inst libcap2 [1:2.66-4+deb12u2+b2] (1:2.66-4+deb12u3+b1 Debian:12.15/oldstable [amd64]) []
Inst libpam-modules-bin [1.5.2-6+deb12u1] (1.5.2-6+deb12u3 Debian-Security:12/oldstable-security [amd64]) [libpam-modules:amd64 on libpam-modules-bin:amd64] [libpam-modules:amd64 ]
Inst libpam-runtime [1.5.2-6+deb12u1] (1.5.2-6+deb12u3 Debian-Security:12/oldstable-security [all]) []
Inst linux-image-6.1.0-40-amd64 (6.1.153-1 Debian-Security:12/oldstable-security [amd64])
Remv yq [3.1.0-3]
"""


def test_what_apt_says_is_understood() -> None:
    plan = parse_plan(SAID)
    assert [str(one) for one in plan.packages[:2]] == [
        "bash 5.2.15-2+b8 → 5.2.15-2+b13", "libgcrypt20-dev 1.10.1-3 → 1.10.1-3+deb12u1",
    ]  # fmt: skip
    assert plan.kept_back == ("linux-image-amd64", "qemu-utils", "vim")
    assert plan.removed == ("yq",)
    assert [one.name for one in plan.only_security()] == [
        "libgcrypt20-dev", "libpam-modules-bin", "libpam-runtime",
    ]  # fmt: skip
    for line in ("Inst bash", "Inst bash;reboot [1] (2 Debian:12 [amd64])"):
        with pytest.raises(ValueError, match="apt-get"):
            parse_plan(line)


ONE = PlannedPackage("bash", "1", "2")
REPORT: Callable[..., HostReport] = lambda **values: HostReport(boot_id="b", **values)  # noqa: E731


@pytest.mark.parametrize(
    ("report", "minutes", "verdict", "words"),
    [
        (REPORT(), 0, "not_yet", "has not begun"),
        (REPORT(), 2, "failed", "never began"),
        (REPORT(is_begun=True), 0, "not_yet", "has not begun"),
        (REPORT(is_begun=True), 2, "failed", "killed"),
        (REPORT(is_begun=True, is_running=True), 90, "not_yet", "at work"),
        (HostReport(boot_id="c", is_begun=True), 2, "failed", "in the middle"),
        (REPORT(is_begun=True, status=100, words="E: x"), 2, "failed", "E: x 0 of 1"),
        (REPORT(is_begun=True, status=0), 2, "failed", "bash lack"),
        (REPORT(is_begun=True, status=0, versions={"bash": "2"}), 2, "confirmed", "1 of 1"),
        (
            REPORT(is_begun=True, status=0, versions={"bash": "2"}, is_restarting=True),
            2, "not_yet", "restarts",
        ),
        (
            REPORT(is_begun=True, status=0, versions={"bash": "2"}, is_restarting=True),
            11, "failed", "did not restart",
        ),
        (
            HostReport(boot_id="c", status=0, versions={"bash": "2"}, is_restarting=True),
            2, "confirmed", "restarted",
        ),
    ],
)  # fmt: skip
def test_each_answer_of_a_host_has_its_meaning(
    report: HostReport, minutes: int, verdict: str, words: str
) -> None:
    found = judge_packages([ONE], "b", report, since=timedelta(minutes=minutes))
    assert found.verdict == verdict
    assert words in found.reason


def test_malformed_lines_of_a_host_stay_empty() -> None:
    report = parse_host("status x\npackage\npackage ii bash\npackage iF a 1 amd64\nsystem\n\n")
    assert report == HostReport()
