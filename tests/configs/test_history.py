"""Snapshot history of a device: store, compare, restore and prune."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.base.leases import LeaseHolder
from controller.configs.drivers.contract import Outcome
from controller.configs.models import PUSHES, Config, Push, Snapshot, Template
from controller.configs.rules import (
    devices,
    groups,
    push_queue,
    push_results,
    snapshots,
    templates,
)
from controller.configs.rules.rendering import render_stale
from controller.devices.models import Device
from tests import factories


@pytest.fixture
def template(organization: Organization) -> Template:
    return factories.template(
        organization, name="Base", config=factories.a_file("{{ word }}\n")
    )


@pytest.fixture
def device(organization: Organization, template: Template) -> Device:
    device = factories.device(
        organization,
        management_ip="10.0.0.1",
        config={"templates": [template], "context": {"word": "first", "wifi_key": "hush-hush"}},
    )
    factories.connection(device, factories.credentials(organization))
    return device


def url_of(device: Device, row: Snapshot | None = None, verb: str = "") -> str:
    end = f"{row.pk}/{verb}" if row else ""
    return f"/api/v1/controller/device/{device.pk}/snapshot/{end}"


def change(device: Device, **config: Any) -> Snapshot:
    """Change the device's configuration. Returns the rendered snapshot."""
    devices.update_device(device, config=config)
    return wanted(device)


def wanted(device: Device) -> Snapshot:
    return Snapshot.objects.get(pk=Config.objects.get(device=device).desired_id)


def answer(state: Any, reason: str = "") -> None:
    """Report this result for every open push."""
    push_queue.reconcile()
    holder = LeaseHolder(PUSHES)
    Push.objects.filter(state__in=Push.OPEN).update(not_before=timezone.now())
    push_results.record_outcomes(
        holder, {push.pk: Outcome(state, reason) for push in push_queue.lease_due(holder)}
    )


def states(device: Device) -> list[str]:
    rows = Snapshot.objects.filter(config__device=device)
    return [row.state for row in rows.with_state()]


def test_each_snapshot_tells_what_became_of_it(device: Device) -> None:
    answer("applied")
    assert states(device) == ["applied"]
    change(device, context={"word": "second"})
    assert states(device) == ["unused", "applied"]
    answer("failed", "no space left")
    assert states(device) == ["failed", "applied"]
    change(device, context={"word": "third"})
    answer("applied")
    assert states(device) == ["applied", "refused", "replaced"]


def test_going_back_gives_the_former_files_and_delivers_them(
    api: Any, admin: User, device: Device
) -> None:
    first = wanted(device)
    answer("applied")
    change(device, context={"word": "second"}, templates=[], config=factories.a_file("own\n"))
    answer("applied")
    shown = api(admin).get(url_of(device, first)).json()
    assert (shown["restorable"], shown["same"], shown["notes"]) == (True, True, [])
    assert shown["files"][-1] == {"path": "/etc/motd", "mode": "0644", "text": "first\n"}
    told = api(admin).post(url_of(device, first, "restore/"))
    assert told.status_code == 200, told.json()
    assert (told.json()["id"], told.json()["is_current"]) == (first.pk, True)
    config = Config.objects.get(device=device)
    assert config.context["word"] == "first"
    assert config.config == {}
    assert [use.template.name for use in config.uses.all()] == ["Base"]
    assert config.status == "modified"
    answer("applied")
    assert states(device) == ["replaced", "applied"]


def test_what_has_changed_since_is_told_before_going_back(
    api: Any, admin: User, device: Device, template: Template
) -> None:
    extra = factories.template(
        device.organization, name="Extra", config=factories.a_file("x\n", "etc/x")
    )
    first = change(device, templates=[template, extra])
    answer("applied")
    change(device, context={"word": "second"})
    templates.update_template(template, config=factories.a_file("another {{ word }}\n"))
    templates.delete_template(extra)
    render_stale()
    shown = api(admin).get(url_of(device, first)).json()
    assert (shown["restorable"], shown["same"]) == (True, False)
    assert shown["notes"] == [
        "The template Base has changed since.",
        "The template Extra was deleted, so it is left out.",
    ]
    told = api(admin).post(url_of(device, first, "restore/")).json()
    assert told["id"] != first.pk
    assert told["files"][-1]["text"] == "another first\n"


def test_a_variable_from_elsewhere_that_changed_is_told_too(
    api: Any, admin: User, organization: Organization, template: Template
) -> None:
    group = factories.group(organization, context={"word": "of the group"})
    device = factories.device(organization, group=group, config={"templates": [template]})
    first = wanted(device)
    groups.update_group(group, context={"word": "changed"})
    render_stale()
    shown = api(admin).get(url_of(device, first)).json()
    assert (shown["same"], shown["notes"]) == (
        False,
        [snapshots.NOT_HERE, snapshots.WOULD_CHANGE_NOTHING],
    )
    assert shown["restorable"] is False


def test_one_comes_back_to_what_was_last_made_of(device: Device, template: Template) -> None:
    """Identical files from different inputs: restoring uses the most recent inputs."""
    first = wanted(device)
    change(device, context={"word": "second"})
    again = change(device, templates=[], config=factories.a_file("first\n"))
    assert again.pk == first.pk
    change(device, context={"word": "third"}, templates=[template], config={})
    again.refresh_from_db()
    assert snapshots.preview_restore(again).is_same
    snapshots.restore(again)
    assert not Config.objects.get(device=device).uses.exists()


def test_without_its_inputs_there_is_no_way_back(api: Any, admin: User, device: Device) -> None:
    first = wanted(device)
    Snapshot.objects.update(made_of=None)
    shown = api(admin).get(url_of(device, first)).json()
    assert (shown["restorable"], shown["notes"]) == (False, [snapshots.NOT_KNOWN])
    assert shown["files"][-1]["text"] == "first\n"
    assert api(admin).post(url_of(device, first, "restore/")).status_code == 409


def test_secrets_of_former_configurations_stay_hidden(
    api: Any, organization: Organization, device: Device, template: Template
) -> None:
    templates.update_template(template, config=factories.a_file("psk={{ wifi_key }}\n"))
    render_stale()
    old = wanted(device)
    change(device, context={"wifi_key": "something-new"})
    viewer, operator = (
        api(factories.user(organization, role)) for role in ("viewer", "operator")
    )
    shown = viewer.get(url_of(device, old))
    assert shown.json()["masked"] is True
    assert "hush-hush" not in shown.content.decode()
    assert "hush-hush" in operator.get(url_of(device, old)).content.decode()
    Snapshot.objects.update(made_of=None)
    assert "hush-hush" not in viewer.get(url_of(device, old)).content.decode()
    assert viewer.post(url_of(device, old, "restore/")).status_code == 403


def test_the_list_is_paged_filtered_and_its_organizations_alone(
    api: Any, admin: User, organization: Organization, device: Device
) -> None:
    answer("applied")
    for word in ("second", "third"):
        change(device, context={"word": word})
    client = api(admin)
    page = client.get(url_of(device), {"page_size": 2}).json()
    assert (page["count"], len(page["results"])) == (3, 2)
    assert [row["is_current"] for row in page["results"]] == [True, False]
    assert "files" not in page["results"][0]
    applied = client.get(url_of(device), {"state": "applied"}).json()["results"]
    assert [row["state"] for row in applied] == ["applied"]
    assert client.get(url_of(device), {"is_current": "true"}).json()["count"] == 1
    assert client.get(url_of(device), {"state": "zzz"}).status_code == 400
    stranger = api(factories.user(factories.organization()))
    assert stranger.get(url_of(device)).status_code == 404
    assert stranger.get(url_of(device, wanted(device))).status_code == 404
    other = factories.device(organization, config={})
    assert client.get(url_of(other, wanted(device))).status_code == 404


def test_a_device_out_of_service_keeps_its_history_and_goes_nowhere(
    api: Any, admin: User, device: Device
) -> None:
    first = wanted(device)
    devices.deactivate(device)
    client = api(admin)
    assert client.get(url_of(device)).json()["count"] == 2
    assert client.post(url_of(device, first, "restore/")).status_code == 403


def test_what_nobody_took_is_forgotten_and_what_is_needed_stays(device: Device) -> None:
    answer("applied")
    for word in ("second", "third", "fourth"):
        change(device, context={"word": word})
    assert snapshots.prune() == 0, "a device may still be fetching them"
    Snapshot.objects.update(created=timezone.now() - 2 * snapshots.GRACE)
    assert snapshots.prune() == 2
    assert sorted(states(device)) == ["applied", "unused"]
    assert snapshots.prune() == 0


def test_of_what_devices_took_the_newest_stay(device: Device) -> None:
    first = wanted(device)
    answer("applied")
    now = timezone.now()
    Snapshot.objects.bulk_create(
        Snapshot(
            config=device.config, checksum=f"{at:032}", sha256="", archive=b"x",
            created=now + timedelta(minutes=at), acknowledged=now,
        )
        for at in range(1, settings.MUSTER_SNAPSHOTS_KEPT + 6)
    )  # fmt: skip
    push = Push.objects.create(
        config=device.config, state="failed", snapshot=Snapshot.objects.get(checksum=f"{1:032}")
    )
    assert snapshots.prune() == 5
    assert Snapshot.objects.filter(pk=first.pk).exists(), "the device has it"
    assert Snapshot.objects.count() == settings.MUSTER_SNAPSHOTS_KEPT + 1
    push.refresh_from_db()
    assert push.snapshot is None


def test_a_list_asks_as_often_for_many_as_for_few(
    api: Any, admin: User, device: Device
) -> None:
    client = api(admin)
    counts = []
    for _ in range(2):
        client.get(url_of(device))
        with CaptureQueriesContext(connection) as queries:
            client.get(url_of(device))
        assert not any("made_of" in one["sql"] for one in queries.captured_queries)
        counts.append(len(queries))
        for word in range(5):
            change(device, context={"word": str(word)})
    assert counts[0] == counts[1]
