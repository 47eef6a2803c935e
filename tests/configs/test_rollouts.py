"""Rollouts of templates in waves: draft, watch, halt, roll back, finish."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.base.errors import Conflict, Refused
from controller.base.leases import LeaseHolder
from controller.configs.drivers.contract import Outcome
from controller.configs.engine import waves
from controller.configs.models import PUSHES, Config, Push, Rollout, RolloutDevice, Template
from controller.configs.rules import devices as inventory
from controller.configs.rules import push_queue, push_results, rendering, rollouts, templates
from controller.devices.models import Device, Presence
from tests import factories

NEW = factories.a_file("new\n")


@pytest.fixture
def template(organization: Organization) -> Template:
    return factories.template(organization, name="Base", config=factories.a_file("old\n"))


@pytest.fixture
def devices(organization: Organization, template: Template) -> list[Device]:
    """Return ten online, pushable devices with the template."""
    credentials = factories.credentials(organization)
    made = []
    for number in range(10):
        device = factories.device(
            organization, name=f"ap-{number}", management_ip=f"10.0.0.{number + 1}",
            config={"templates": [template]},
        )  # fmt: skip
        factories.connection(device, credentials)
        made.append(device)
    Presence.objects.update(state="online", since=timezone.now() - timedelta(days=1))
    take_all()
    return made


@pytest.fixture
def running(template: Template, devices: list[Device]) -> Rollout:
    draft = rollouts.create_draft(template, config=NEW, waves=["1", "50%", "100%"], pause=60)
    row = rollouts.start(draft)
    rendering.render_stale()
    return row


def take_all(state: Any = "applied") -> None:
    """Report this result for every open push."""
    rendering.render_stale()
    push_queue.reconcile()
    holder = LeaseHolder(PUSHES)
    Push.objects.filter(state__in=Push.OPEN).update(not_before=timezone.now())
    push_results.record_outcomes(
        holder, {push.pk: Outcome(state, "no space") for push in push_queue.lease_due(holder)}
    )


def contents(device: Device) -> str:
    """Return the desired contents of the device's file."""
    from controller.configs.rules.snapshots import unpacked

    config = Config.objects.select_related("desired").get(device=device)
    files = {file.path: file.contents for file in unpacked(config.desired.archive)}
    return files["etc/motd"].decode().strip()


def having_new(devices: list[Device]) -> int:
    rendering.render_stale()
    return sum(contents(device) == "new" for device in devices)


def after_the_pause(row: Rollout, *, meanwhile: Any = lambda: None) -> Rollout:
    """Let the wave's pause pass, running the workers every ten seconds."""
    row.refresh_from_db()
    found = row
    with time_machine.travel(max(timezone.now(), row.advanced), tick=False) as clock:
        for _ in range(row.pause // 10 + 1):
            clock.shift(10)
            meanwhile()
            found = rollouts.advance(row.pk)
            if (found.wave, found.state) != (row.wave, row.state):
                break
    return found


def test_waves_reach_more_and_more_until_all_and_then_the_template_has_it(
    running: Rollout, devices: list[Device], template: Template
) -> None:
    assert having_new(devices) == 1
    take_all()
    rollouts.advance(running.pk)
    assert having_new(devices) == 1, "the wave has its time"
    after_the_pause(running)
    assert having_new(devices) == 5
    take_all()
    after_the_pause(running)
    assert having_new(devices) == 10
    take_all()
    template.refresh_from_db()
    assert template.config == factories.a_file("old\n"), "not before the last wave is well"
    pushes = Push.objects.count()
    assert after_the_pause(running).state == "done"
    template.refresh_from_db()
    assert template.config == NEW
    assert having_new(devices) == 10
    take_all()
    assert Push.objects.count() == pushes, "the end changes nothing on the devices"


def test_too_many_failures_halt_it_and_the_former_version_comes_back(
    running: Rollout, devices: list[Device], template: Template
) -> None:
    take_all("failed")
    row = rollouts.advance(running.pk)
    assert row.state == "halted", "it does not wait for the end of the pause"
    assert "1 refused it" in row.reason
    assert having_new(devices) == 0
    template.refresh_from_db()
    assert template.config == factories.a_file("old\n")
    take_all()
    assert set(Config.objects.values_list("status", flat=True)) == {"applied"}
    assert rollouts.advance(running.pk).state == "halted"


def test_a_device_that_goes_offline_by_it_halts_it(
    running: Rollout, devices: list[Device]
) -> None:
    take_all()
    canary = running.devices.get(wave=0).config.device
    Presence.objects.filter(device=canary).update(state="offline", since=timezone.now())
    row = rollouts.advance(running.pk)
    assert (row.state, having_new(devices)) == ("halted", 0)
    assert "1 went offline" in row.reason


def test_devices_that_do_not_take_it_in_time_halt_it(
    running: Rollout, devices: list[Device]
) -> None:
    assert rollouts.advance(running.pk).state == "running"
    row = after_the_pause(running, meanwhile=lambda: take_all("unreachable"))
    assert row.state == "halted"
    assert having_new(devices) == 0


def test_time_without_a_worker_counts_against_no_device(
    running: Rollout, devices: list[Device]
) -> None:
    later = timezone.now() + timedelta(hours=5)
    with time_machine.travel(later, tick=False) as clock:
        assert rollouts.advance(running.pk).state == "running"
        # The push worker is still down: the wave's push waits.
        for _ in range(10):
            clock.shift(10)
            assert rollouts.advance(running.pk).state == "running"
        take_all()
        assert rollouts.advance(running.pk).wave == 0
    assert after_the_pause(running).wave == 1


def test_a_push_whose_worker_died_has_its_time(running: Rollout, devices: list[Device]) -> None:
    push_queue.reconcile()
    (push,) = push_queue.lease_due(LeaseHolder(PUSHES))
    assert after_the_pause(running).state == "running"
    Push.objects.filter(pk=push.pk).update(leased_until=timezone.now() - timedelta(seconds=1))
    assert PUSHES.put_back() == 1
    assert after_the_pause(running).state == "running"
    take_all()
    push.refresh_from_db()
    assert push.state == "applied"


def test_one_rollout_that_fails_stops_no_other(
    running: Rollout, devices: list[Device], organization: Organization
) -> None:
    broken = Rollout.objects.create(
        template=factories.template(organization, name="other"), config={},
        state="running", waves=["1"], wave_started=timezone.now() - timedelta(hours=1),
    )  # fmt: skip
    Rollout.objects.filter(pk=broken.pk).update(config={"files": "none"})
    take_all()
    before = timezone.now()
    rollouts.advance_all()
    running.refresh_from_db()
    assert running.advanced >= before


def test_as_many_as_are_allowed_may_fail(running: Rollout, devices: list[Device]) -> None:
    Rollout.objects.update(allowed=30)
    take_all()
    after_the_pause(running)
    rendering.render_stale()
    take_all()
    wave = running.devices.filter(wave=1)
    Presence.objects.filter(device__config=wave.first().config).update(
        state="offline", since=timezone.now() + timedelta(hours=1)
    )
    assert rollouts.advance(running.pk).state == "running", "1 of 5"
    Presence.objects.filter(device__config__in=wave.values("config")).update(
        state="offline", since=timezone.now() + timedelta(hours=1)
    )
    assert rollouts.advance(running.pk).state == "halted"


def test_what_was_away_or_in_error_before_goes_last_and_counts_for_nothing(
    template: Template, devices: list[Device]
) -> None:
    away, broken = devices[:2]
    Presence.objects.filter(device=away).update(state="offline")
    Config.objects.filter(device=broken).update(render_error="x", rendered_revision=10**9)
    draft = rollouts.create_draft(template, config=NEW, waves=["80%", "100%"], pause=60)
    row = rollouts.start(draft)
    last = {one.config.device for one in row.devices.filter(wave=1)}
    assert away in last
    take_all()
    Config.objects.filter(device=broken).update(render_error="x", rendered_revision=10**9)
    assert after_the_pause(row).state == "running"
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=False):
        take_all("unreachable")
    found = rollouts.health(rollouts.released(row))
    assert (found.failed, found.gone) == (0, 0)
    assert found.left_out == 2


def test_it_can_be_paused_and_rolled_back(running: Rollout, devices: list[Device]) -> None:
    take_all()
    rollouts.pause(running)
    assert after_the_pause(running).state == "paused"
    assert having_new(devices) == 1
    rollouts.resume(running)
    after_the_pause(running)
    assert having_new(devices) == 5
    rollouts.roll_back(running)
    assert having_new(devices) == 0
    for again in (rollouts.pause, rollouts.resume, rollouts.roll_back, rollouts.start):
        with pytest.raises(Conflict):
            again(running)


def test_the_template_is_left_alone_while_a_rollout_is_under_way(
    running: Rollout, template: Template
) -> None:
    with pytest.raises(Conflict):
        templates.update_template(template, config=factories.a_file("other\n"))
    with pytest.raises(Conflict):
        templates.delete_template(template)
    with pytest.raises(Conflict):
        rollouts.start(rollouts.create_draft(template, config=NEW))
    with pytest.raises(Conflict):
        rollouts.discard(running)
    template.refresh_from_db()
    templates.update_template(template, notes="notes are no matter")


def test_a_device_that_gets_or_loses_the_template_meanwhile_disturbs_nothing(
    organization: Organization, running: Rollout, devices: list[Device], template: Template
) -> None:
    late = factories.device(organization, config={"templates": [template]})
    assert contents(late) == "old"
    canary = running.devices.get(wave=0).config.device
    inventory.update_device(canary, config={"templates": []})
    assert rollouts.health(rollouts.released(running)).waiting == 0
    assert after_the_pause(running).state == "running"


def test_a_device_changed_by_itself_keeps_the_version_it_was_brought(
    running: Rollout, devices: list[Device]
) -> None:
    canary = running.devices.get(wave=0).config.device
    inventory.update_device(canary, config={"config": factories.a_file("own\n", "etc/own")})
    assert contents(canary) == "new"


def test_a_draft_nobody_has_or_that_is_wrong_is_refused(
    organization: Organization, template: Template
) -> None:
    with pytest.raises(Refused):
        rollouts.start(rollouts.create_draft(template, config=NEW))
    for wrong in ([], ["10%"], ["x", "100%"], ["0", "100%"], ["120%", "100%"], [1], "100%"):
        with pytest.raises(Refused):
            rollouts.create_draft(template, config=NEW, waves=wrong)
    with pytest.raises(Refused):
        rollouts.create_draft(template, config={"interfaces": "nonsense"})
    assert not RolloutDevice.objects.exists()


@pytest.mark.parametrize(
    ("told", "total", "expected"),
    [
        ("1, 10%, 100%", 25, [1, 3, 25]),
        ("1,10%,100%", 4, [1, 1, 4]),
        ("50, 10%, 100%", 100, [50, 50, 100]),
        ("5, 100%", 2, [2, 2]),
    ],
)
def test_waves_never_reach_fewer_than_before(
    told: str, total: int, expected: list[int]
) -> None:
    assert waves.sizes(waves.parse(told), total) == expected


URL = "/api/v1/controller/rollout/"


def test_programs_roll_out_over_the_api(
    api: Any, admin: User, template: Template, devices: list[Device]
) -> None:
    client = api(admin)
    made = client.post(
        URL, {"template": str(template.pk), "config": NEW, "waves": ["2", "100%"], "pause": 60}
    )
    assert made.status_code == 201, made.json()
    url = f"{URL}{made.json()['id']}/"
    assert (made.json()["state"], made.json()["default_values"]) == ("draft", {})
    assert client.patch(url, {"allowed": 10}).json()["allowed"] == 10
    assert client.patch(url, {"waves": ["2"]}).status_code == 400
    assert client.patch(url, {"allowed": 101}).status_code == 400
    started = client.post(f"{url}start/").json()
    assert started["state"] == "running"
    assert [(one["total"], one["reached"]) for one in started["progress"]] == [(2, 2), (8, 0)]
    assert client.patch(url, {"allowed": 20}).status_code == 409
    assert client.delete(url).status_code == 409
    assert client.patch(
        f"/api/v1/controller/template/{template.pk}/", {"config": factories.a_file("x\n")}
    ).status_code == 409  # fmt: skip
    assert client.post(f"{url}pause/").json()["state"] == "paused"
    assert client.post(f"{url}resume/").json()["state"] == "running"
    assert client.post(f"{url}roll-back/").json()["state"] == "rolled_back"
    assert client.get(URL, {"state": "rolled_back"}).json()["count"] == 1
    assert client.get(URL, {"state": "running"}).json()["count"] == 0
    assert client.delete(url).status_code == 204


def test_the_forecast_groups_devices_on_which_the_same_lines_change(
    api: Any, admin: User, template: Template, devices: list[Device]
) -> None:
    inventory.update_device(devices[0], config={"config": NEW})
    inventory.update_device(devices[1], config={"config": factories.a_file("own\n", "etc/own")})
    client = api(admin)
    made = client.post(
        URL, {"template": str(template.pk), "config": factories.a_file("{{ id }}\n")}
    )
    found = client.get(f"{URL}{made.json()['id']}/preview/").json()
    assert (found["total"], found["looked_at"], found["unchanged"]) == (10, 10, 1)
    assert len(found["groups"]) == 9, "a line of its own for each"
    made = client.post(URL, {"template": str(template.pk), "config": NEW})
    found = client.get(f"{URL}{made.json()['id']}/preview/").json()
    (group,) = found["groups"]
    assert len(group["devices"]) == 9
    assert (group["added"], group["removed"]) == (1, 1)
    assert [file["text"] for file in group["before"]] == ["old\n"]
    assert [file["text"] for file in group["after"]] == ["new\n"]


def test_the_forecast_shows_secrets_to_nobody_who_may_not_read_them(
    api: Any, organization: Organization, template: Template, devices: list[Device]
) -> None:
    inventory.update_device(devices[0], config={"context": {"wifi_key": "hush-hush"}})
    row = rollouts.create_draft(template, config=factories.a_file("psk={{ wifi_key }}\n"))
    url = f"{URL}{row.pk}/preview/"
    # Operators are limited to sites, but the preview covers devices of all sites.
    for role, reads in (("viewer", False), ("operator", False), ("org_admin", True)):
        shown = api(factories.user(organization, role)).get(url).content.decode()
        assert ("hush-hush" in shown) is reads, role


def test_who_may_not_change_the_template_may_not_roll_it_out(
    api: Any, organization: Organization, template: Template, devices: list[Device]
) -> None:
    row = rollouts.create_draft(template, config=NEW)
    viewer = api(factories.user(organization, "viewer"))
    stranger = api(factories.user(factories.organization(), "org_admin"))
    body = {"template": str(template.pk), "config": NEW}
    assert viewer.get(f"{URL}{row.pk}/").status_code == 200
    assert viewer.post(URL, body).status_code == 403
    assert stranger.post(URL, body).status_code == 400
    assert stranger.get(URL).json()["count"] == 0
    for verb in ("start", "pause", "resume", "roll-back"):
        assert viewer.post(f"{URL}{row.pk}/{verb}/").status_code == 403
        assert stranger.post(f"{URL}{row.pk}/{verb}/").status_code == 404
    shared = factories.template(None)
    operator = api(factories.user(organization, "operator"))
    assert operator.post(URL, body | {"template": str(shared.pk)}).status_code == 403
    row.refresh_from_db()
    assert row.state == "draft"
