"""Conditions of organizations and what is watched around a flash."""

import gzip
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from controller.accounts.models import Organization, Site
from controller.base.errors import Conflict, NotPermitted, Refused
from controller.base.leases import LeaseHolder
from controller.configs.models import Config
from controller.connections.models import DeviceConnection
from controller.devices.models import Presence
from controller.firmware.drivers.openwrt import STOP_SERVICES
from controller.firmware.engine.matching import DeviceFacts, ImageFacts, mismatches
from controller.firmware.engine.options import Options
from controller.firmware.engine.versions import is_older, numbers
from controller.firmware.models import (
    UPGRADES,
    ConfigurationBackup,
    DeviceSystem,
    FirmwarePolicy,
    FirmwareRollout,
    TrustedKey,
    Upgrade,
)
from controller.firmware.rules import (
    image_uploads,
    policies,
    post_upgrade_checks,
    rollouts,
    upgrade_queue,
)
from controller.firmware.rules.approvals import approve_rollout, approve_upgrade
from controller.firmware.rules.host_keys import accept_host_key
from controller.firmware.rules.upgrades import cancel, replaced, start_upgrade
from controller.monitoring.models import MonitoredDevice
from controller.notifications.models import Notice
from tests import factories
from tests.firmware import fleet
from tests.firmware.images import image as image_bytes
from tests.firmware.images import public_key, signed
from tests.firmware.test_upgrades import (
    a_device,
    an_image,
    factories_key,
    pass_time,
    run,
    run_to_end,
)
from tests.fleet.router_device import Router

pytestmark = pytest.mark.django_db(transaction=True)
State = Upgrade.State
NEXT = 1


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with Router(tmp_path / "router") as router:
        yield router


def policy(organization: Organization, **values: Any) -> FirmwarePolicy:
    return policies.create_policy(organization=organization, **values)


def codes(image: ImageFacts, device: DeviceFacts, *switches: str, **more: Any) -> set[str]:
    options = Options(switches=frozenset(switches))
    return {one.code for one in mismatches(image, device, options, **more)}


# --- engine


def test_versions_are_ordered_with_candidates_before_their_release() -> None:
    ordered = ["19.07.1", "23.05.5", "24.10.0-rc1", "24.10.0-rc2", "24.10.0", "24.10.2", "25"]
    assert sorted({*ordered}, key=lambda one: numbers(one) or ()) == ordered
    assert not is_older("SNAPSHOT", "24.10.0")
    assert not is_older("24.10.0", "SNAPSHOT")
    assert not is_older("24.10", "24.10.0")


def test_older_images_and_skipped_builds_are_left_out_unless_it_was_said() -> None:
    board = frozenset({"a"})
    device = DeviceFacts(board="a", version="23.05.0")
    old = ImageFacts(size=1, boards=board, version="22.03.5")
    assert codes(old, device) == {"downgrade"}
    assert codes(old, device, "downgrade") == set()
    far = ImageFacts(size=1, boards=board, version="25.12.0", steps=("24.10.0",))
    assert codes(far, device) == {"step"}
    assert codes(far, DeviceFacts(board="a", version="24.10.0")) == set()


@pytest.mark.parametrize(
    ("demanded", "signature", "is_left_out"),
    [
        ("ignore", "none", False), ("ignore", "unknown_key", False),
        ("if_present", "none", False), ("if_present", "unknown_key", True),
        ("if_present", "valid", False), ("required", "none", True),
        ("required", "unknown_key", True), ("required", "valid", False),
        ("ignore", "broken", True),
    ],
)  # fmt: skip
def test_signatures_are_demanded_as_the_organization_says(
    demanded: str, signature: str, *, is_left_out: bool
) -> None:
    image = ImageFacts(size=1, boards=frozenset({"a"}), signature=signature)
    found = codes(image, DeviceFacts(board="a"), signatures=demanded)
    assert bool(found) is is_left_out


# --- keys and builds


def test_a_key_makes_stored_images_valid_and_its_end_unknown_again(
    organization: Organization,
) -> None:
    data = signed(image_bytes())
    image = image_uploads.add_image(
        fleet.build(organization), name="x-sysupgrade.bin", parts=[data]
    )
    assert image.signature == "unknown_key"
    policy(organization, signatures="required")
    device = fleet.device(organization)
    draft = FirmwareRollout(build=image.build, organization=organization, upgrade_all=True)
    (found,) = rollouts.candidates(draft)
    assert [one.code for one in found.reasons] == ["signature"]
    key = policies.add_key(organization=organization, name="ours", public_key=public_key())
    image.refresh_from_db()
    assert image.signature == "valid"
    (found,) = rollouts.candidates(draft)
    assert (found.device, found.fits) == (device, True)
    with pytest.raises(Refused, match="trusted already"):
        policies.add_key(organization=organization, name="again", public_key=public_key())
    with pytest.raises(Refused, match="base64"):
        policies.add_key(organization=organization, name="none", public_key="x")
    policies.remove_key(key)
    image.refresh_from_db()
    assert (image.signature, TrustedKey.objects.count()) == ("unknown_key", 0)


def test_a_build_that_must_not_be_skipped_comes_first(organization: Organization) -> None:
    step, newest = fleet.build(organization, "24.10"), fleet.build(organization, "25.12")
    step.is_step = True
    step.save()
    for row, version in ((step, "24.10.5"), (newest, "25.12.0")):
        fleet.add_image(row, version={"version": version, "revision": f"r-{version}"})
    device = fleet.device(organization)
    draft = FirmwareRollout(build=newest, organization=organization, upgrade_all=True)
    (found,) = rollouts.candidates(draft)
    assert "must not skip 24.10.5" in found.reasons[0].text
    DeviceSystem.objects.filter(device=device).update(version="24.10.5")
    (found,) = rollouts.candidates(draft)
    assert found.fits


# --- the device


def test_settings_are_backed_up_before_the_flash_encrypted_and_three_are_kept(
    organization: Organization, router: Router
) -> None:
    device = a_device(organization, router)
    router.put("etc/config/network", "config interface lan # secret")
    ends = [
        run_to_end(
            start_upgrade(
                device,
                an_image(
                    organization,
                    version={"version": f"24.10.{number + 2}", "revision": f"r{number}"},
                ),
            )
        ).state
        for number in range(4)
    ]
    assert ends == [State.CONFIRMED] * 4
    rows = list(ConfigurationBackup.objects.all())
    assert len(rows) == 3
    assert b"etc/config/network" in gzip.decompress(rows[0].archive)
    assert rows[0].size == len(rows[0].archive)
    assert "Its settings were backed up" in Upgrade.objects.latest("created").log


@pytest.mark.parametrize(("demand", "state"), [("required", "aborted"), ("try", "away")])
def test_without_a_backup_nothing_is_flashed_where_it_is_required(
    organization: Organization, router: Router, demand: str, state: str
) -> None:
    policy(organization, backup=demand)
    router.put("etc/no_backup", "")
    upgrade = run(start_upgrade(a_device(organization, router), an_image(organization)))
    assert upgrade.state == state, upgrade.log
    assert "backed up" in upgrade.log
    assert not router.has("tmp/muster-firmware.bin")


def little_memory(router: Router) -> None:
    """Leave too little memory until the service uhttpd rests."""
    router.put("proc/meminfo", "MemTotal: 65536 kB\nMemAvailable: 4000 kB\n")
    service = router.root / "etc/init.d/uhttpd"
    service.parent.mkdir(parents=True, exist_ok=True)
    service.write_text(
        '#!/bin/sh\necho "$1" >>"$MUSTER_ROOT/uhttpd.log"\ncase $1 in\n'
        'stop) printf "MemTotal: 65536 kB\\nMemAvailable: 40000 kB\\n" '
        '>"$MUSTER_ROOT/proc/meminfo" ;;\nesac\n'
    )
    service.chmod(0o755)


def test_services_rest_for_memory_only_where_it_is_allowed_and_was_said(
    organization: Organization, router: Router
) -> None:
    little_memory(router)
    device, image = a_device(organization, router), an_image(organization)
    wanted = {"stop_services": True}
    with pytest.raises(NotPermitted, match="does not allow"):
        start_upgrade(device, image, options=wanted)
    rules = policy(organization, may_stop_services=True)
    assert run(start_upgrade(device, image)).state == State.ABORTED
    upgrade = run(start_upgrade(device, image, options=wanted))
    assert upgrade.state == State.AWAY, upgrade.log
    assert "stopping services" in upgrade.log
    assert (router.root / "uhttpd.log").read_text().split() == ["running", "stop"]
    policies.update_policy(rules, may_stop_services=False)


def test_services_start_again_at_once_if_nothing_is_flashed(
    organization: Organization, router: Router
) -> None:
    policy(organization, may_stop_services=True)
    little_memory(router)
    router.put("tmp/sysinfo/board_name", "example,other")
    upgrade = start_upgrade(
        a_device(organization, router), an_image(organization), options={"stop_services": True}
    )
    assert run(upgrade).state == State.ABORTED
    assert (router.root / "uhttpd.log").read_text().split() == ["running", "stop", "start"]


def test_services_start_by_themselves_if_the_portal_is_gone(tmp_path: Path) -> None:
    router = Router(tmp_path / "router")
    little_memory(router)
    environment = {**router.environment, "MUSTER_REST_SECONDS": "0"}
    script = f"{STOP_SERVICES}\nwait"
    subprocess.run(["sh", "-c", script], env=environment, check=True, timeout=60)
    assert (router.root / "uhttpd.log").read_text().split() == ["running", "stop", "start"]


# --- a second person


def test_a_second_person_approves_upgrades_and_rollouts(organization: Organization) -> None:
    policy(organization, needs_approval=True)
    author, other = (factories.user(organization, "admin") for _ in range(2))
    device, image = fleet.device(organization), fleet.add_image(fleet.build(organization))
    row = start_upgrade(device, image, author=author)
    assert row.state == State.PROPOSED
    assert upgrade_queue.lease_due(LeaseHolder(UPGRADES)) == []
    assert "approval" in Notice.objects.get(object_id=str(row.pk)).kind
    with pytest.raises(NotPermitted, match="somebody else"):
        approve_upgrade(row, by=author)
    with pytest.raises(Conflict, match="under way"):
        start_upgrade(device, image, author=author)
    assert approve_upgrade(row, by=other).state == State.QUEUED
    with pytest.raises(Conflict):
        approve_upgrade(row, by=other)
    cancel(row)
    draft = rollouts.create_rollout(image.build, author=author, upgrade_all=True)
    with pytest.raises(NotPermitted, match="second person"):
        rollouts.start(draft)
    with pytest.raises(NotPermitted, match="somebody else"):
        approve_rollout(draft, by=author)
    approve_rollout(draft, by=other)
    assert rollouts.start(draft).state == "running"
    with pytest.raises(Conflict, match="started already"):
        approve_rollout(draft, by=other)


def test_a_mass_upgrade_of_the_api_waits_as_a_draft(
    organization: Organization, api: Any
) -> None:
    policy(organization, needs_approval=True)
    author, other = (factories.user(organization, "admin") for _ in range(2))
    image = fleet.add_image(fleet.build(organization))
    fleet.device(organization)
    base = "/api/v1/firmware-upgrader"
    url = f"{base}/build/{image.build_id}/upgrade/"
    batch = api(author).post(url, {"upgrade_all": True}).data["batch"]
    assert api(author).get(f"{base}/batch-upgrade-operation/{batch}/").data["status"] == "idle"
    refused = api(author).post(f"{base}/batch-upgrade-operation/{batch}/start/")
    assert refused.status_code == 403
    assert (
        api(author).post(f"{base}/batch-upgrade-operation/{batch}/approve/").status_code == 403
    )
    assert (
        api(other).post(f"{base}/batch-upgrade-operation/{batch}/approve/").status_code == 200
    )
    started = api(author).post(f"{base}/batch-upgrade-operation/{batch}/start/")
    assert started.data["status"] == "in-progress"


# --- after the flash


@pytest.fixture
def confirmed(organization: Organization) -> Upgrade:
    """Return an upgrade of a rollout that was confirmed ten minutes ago."""
    build = fleet.build(organization)
    fleet.add_image(build)
    for _ in range(2):
        fleet.device(organization)
    rollouts.start(
        rollouts.create_rollout(build, upgrade_all=True, waves=["1", "100%"], pause=1)
    )
    row = Upgrade.objects.get(state=State.QUEUED)
    past = timezone.now() - timedelta(minutes=10)
    Upgrade.objects.filter(pk=row.pk).update(
        state=State.CONFIRMED, ended=past, sent=past, health_before="problem",
        watched_until=past + timedelta(minutes=5),
    )  # fmt: skip
    FirmwareRollout.objects.update(wave_started=past)
    set_presence(row, "online", past - timedelta(hours=1))
    row.refresh_from_db()
    return row


def set_presence(row: Upgrade, state: str, since: Any) -> None:
    Presence.objects.update_or_create(
        device=row.device, defaults={"state": state, "since": since}
    )


def set_health(row: Upgrade, health: str) -> None:
    MonitoredDevice.objects.update_or_create(device=row.device, defaults={"health": health})


def advanced(row: Upgrade) -> FirmwareRollout:
    assert row.rollout
    found: FirmwareRollout = rollouts.advance(row.rollout.pk)
    row.refresh_from_db()
    return found


def test_the_next_wave_waits_until_the_devices_were_online_and_well(confirmed: Upgrade) -> None:
    assert advanced(confirmed).wave == 0
    set_health(confirmed, "problem")
    post_upgrade_checks.judge_watched()
    assert advanced(confirmed).wave == NEXT
    assert confirmed.is_well
    assert "as well as before" in confirmed.log


def test_a_device_that_came_online_late_is_watched_longer(confirmed: Upgrade) -> None:
    set_presence(confirmed, "online", timezone.now() - timedelta(minutes=1))
    post_upgrade_checks.judge_watched()
    assert advanced(confirmed).wave == 0
    assert confirmed.is_well is None
    set_presence(confirmed, "online", timezone.now() - timedelta(minutes=6))
    post_upgrade_checks.judge_watched()
    assert advanced(confirmed).wave == NEXT


def goes_offline(row: Upgrade) -> None:
    set_presence(row, "offline", timezone.now())


def becomes_critical(row: Upgrade) -> None:
    set_health(row, "critical")


def has_config_error(row: Upgrade) -> None:
    Config.objects.create(device=row.device, render_error="A variable is missing.")


@pytest.mark.parametrize(
    ("make_worse", "words"),
    [
        (goes_offline, "gone offline"),
        (becomes_critical, "was problem before and is critical"),
        (has_config_error, "configuration is in error"),
    ],
)
def test_a_device_that_is_worse_than_before_halts_the_rollout(
    confirmed: Upgrade, make_worse: Any, words: str
) -> None:
    make_worse(confirmed)
    post_upgrade_checks.judge_watched()
    rollout = advanced(confirmed)
    assert (rollout.state, confirmed.is_well) == ("halted", False)
    assert words in confirmed.reason
    assert "1 worse than before" in rollout.reason
    assert confirmed.state == State.CONFIRMED, "it runs the image"


def test_what_was_bad_before_says_nothing_about_the_image(confirmed: Upgrade) -> None:
    has_config_error(confirmed)
    Upgrade.objects.filter(pk=confirmed.pk).update(
        had_config_error=True, health_before="critical"
    )
    set_health(confirmed, "critical")
    post_upgrade_checks.judge_watched()
    assert advanced(confirmed).wave == NEXT


# --- notices


def test_single_upgrades_are_told_each_and_those_of_a_rollout_together(
    organization: Organization, router: Router
) -> None:
    router.trouble = "never"
    upgrade = run(start_upgrade(a_device(organization, router), an_image(organization)))
    pass_time(upgrade, timedelta(minutes=16))
    assert run(upgrade).state == State.UNKNOWN
    assert Notice.objects.get().kind == "firmware_unknown"
    router.trouble = ""
    router.start()
    assert run_to_end(upgrade).state == State.CONFIRMED
    assert Notice.objects.latest("created").kind == "firmware_installed"
    Notice.objects.all().delete()
    build = fleet.build(organization, "25")
    fleet.add_image(build)
    for _ in range(3):
        fleet.device(organization)
    draft = rollouts.create_rollout(build, upgrade_all=True, waves=["100%"], allowed=100)
    rollouts.start(draft)
    Upgrade.objects.filter(state=State.QUEUED).update(state=State.FAILED, ended=timezone.now())
    assert rollouts.advance(draft.pk).state == "done"
    (notice,) = Notice.objects.all()
    assert notice.kind == "firmware_rollout_ended"
    assert "4 failed" in notice.text


# --- a changed host key


def test_a_person_accepts_the_new_host_key_of_a_device_that_was_reset(
    organization: Organization, router: Router
) -> None:
    device = a_device(organization, router)
    upgrade = run(start_upgrade(device, an_image(organization), options={"n": True}))
    run(upgrade)
    DeviceConnection.objects.update(host_key=factories_key(router))
    pass_time(upgrade, timedelta(minutes=16))
    assert run(upgrade).state == State.UNKNOWN
    accept_host_key(upgrade)
    assert run_to_end(upgrade).state == State.CONFIRMED, upgrade.log
    with pytest.raises(Conflict, match="was reset by this upgrade"):
        accept_host_key(upgrade)


def test_a_replaced_device_is_closed_and_its_successor_may_show_its_own_key(
    organization: Organization, router: Router
) -> None:
    device = a_device(organization, router)
    router.trouble = "never"
    upgrade = run(start_upgrade(device, an_image(organization)))
    pass_time(upgrade, timedelta(minutes=16))
    run(upgrade)
    assert replaced(upgrade).state == State.FAILED
    assert DeviceConnection.objects.get().host_key == ""
    assert not DeviceSystem.objects.exists()


# --- limits


def test_two_neighbors_are_never_upgraded_together(
    organization: Organization, settings: Any
) -> None:
    site = Site.objects.create(organization=organization, name="Vigo", slug="vigo")
    image = fleet.add_image(fleet.build(organization))
    first, second, alone = (
        fleet.device(organization, site=place) for place in (site, site, None)
    )
    rows = [start_upgrade(device, image) for device in (first, second, alone)]
    holder: LeaseHolder[Upgrade] = LeaseHolder(UPGRADES)
    taken = upgrade_queue.lease_due(holder)
    assert {row.device for row in taken} == {first, alone}
    assert not upgrade_queue.is_work_due()
    Upgrade.objects.filter(pk=rows[0].pk).update(
        state=State.AWAY, sent=timezone.now(), leased_until=None,
        not_before=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    assert upgrade_queue.lease_due(holder) == [], "its neighbor is away"
    settings.MUSTER_FIRMWARE_PER_SITE = 2
    assert [row.device for row in upgrade_queue.lease_due(holder)] == [second]
    settings.MUSTER_FIRMWARE_PER_SITE = 1
    Upgrade.objects.all().update(leased_until=None, lease_holder=None)
    Upgrade.objects.filter(pk=rows[0].pk).update(state=State.UNKNOWN)
    assert second in {row.device for row in upgrade_queue.lease_due(holder)}, (
        "nobody waits for a lost one"
    )


def test_transfers_are_limited_in_all(organization: Organization, settings: Any) -> None:
    settings.MUSTER_FIRMWARE_TRANSFERS = 2
    image = fleet.add_image(fleet.build(organization))
    for _ in range(3):
        start_upgrade(fleet.device(organization), image)
    holder: LeaseHolder[Upgrade] = LeaseHolder(UPGRADES)
    assert len(upgrade_queue.lease_due(holder)) == 2
    assert upgrade_queue.lease_due(holder) == []
    assert not upgrade_queue.is_work_due()


def test_a_paused_rollout_is_no_work(organization: Organization) -> None:
    build = fleet.build(organization)
    fleet.add_image(build)
    fleet.device(organization)
    row = rollouts.start(rollouts.create_rollout(build, upgrade_all=True))
    assert upgrade_queue.is_work_due()
    rollouts.pause(row)
    assert not upgrade_queue.is_work_due()
