"""Bulk actions on devices: preview, then apply row by row."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from controller.accounts.models import AuditEntry, Organization, User
from controller.base.errors import Conflict
from controller.base.leases import LeaseHolder
from controller.configs.models import BULK_ROWS, Config, DeviceBatch, DeviceBatchRow
from controller.configs.rules import bulk_operations
from controller.configs.rules import devices as inventory
from controller.devices.models import Device
from tests import factories

LIST = "/admin/devices/device/"
BATCHES = "/admin/configs/devicebatch/"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def staff(organization: Organization, role: str = "operator") -> User:
    return factories.user(organization, role, is_staff=True)


def devices(organization: Organization, count: int = 3) -> list[Device]:
    return [factories.device(organization, name=f"ap-{n}", config={}) for n in range(count)]


def propose(client: Client, kind: str, rows: list[Device]) -> Any:
    """Submit the list's action and return the preview."""
    sent = {"action": kind, "_selected_action": [str(row.pk) for row in rows]}
    return client.post(LIST, sent, follow=True)


def start(client: Client, batch: DeviceBatch, count: int, **more: str) -> Any:
    sent = {"count": str(count), "typed": str(count)} | more
    return client.post(f"{BATCHES}{batch.pk}/start/", sent, follow=True)


def results(batch: DeviceBatch) -> dict[str, tuple[str, str]]:
    return {row.name: (row.state, row.reason) for row in batch.rows.all()}


def test_taking_out_of_service_is_shown_confirmed_and_done_row_by_row(
    organization: Organization,
) -> None:
    rows = devices(organization)
    inventory.deactivate(rows[2])
    client = signed_in(staff(organization))
    shown = propose(client, "deactivate", rows).content.decode()
    batch = DeviceBatch.objects.get()
    assert "2 of 3 devices" in shown
    assert "The device is already deactivated." in shown
    assert Device.objects.filter(is_deactivated=True).count() == 1, "nothing is done yet"

    assert "type the number" in start(client, batch, 2, typed="3").content.decode()
    assert "2 of 2 devices still to answer" in start(client, batch, 2).content.decode()
    assert bulk_operations.run_next_row(LeaseHolder(BULK_ROWS))
    part = client.get(f"{BATCHES}{batch.pk}/results/").content.decode()
    assert "1 of 2 devices still to answer" in part
    assert bulk_operations.run_due() == 1
    batch.refresh_from_db()
    assert batch.state == "done"
    assert Device.objects.filter(is_deactivated=True).count() == 3
    assert {state for state, _ in results(batch).values()} == {"done", "left"}
    part = client.get(f"{BATCHES}{batch.pk}/results/").content.decode()
    assert "data-refresh-done" in part
    assert "2 of 2" in client.get(BATCHES).content.decode()
    noted = AuditEntry.objects.filter(object_name="ap-0", action="update").last()
    assert noted is not None
    assert noted.actor == batch.user.username


def test_a_template_is_added_with_what_it_changes_shown_before(
    organization: Organization,
) -> None:
    rows = devices(organization)
    template = factories.template(organization, config=factories.a_file("welcome\n"))
    inventory.update_device(rows[0], config={"templates": [template]})
    rows.append(factories.device(organization, name="unmanaged"))
    client = signed_in(staff(organization))
    assert "Preview" in propose(client, "add_template", rows).content.decode()
    batch = DeviceBatch.objects.get()
    answer = client.post(
        f"{BATCHES}{batch.pk}/choose/", {"chosen": str(template.pk)}, follow=True
    )
    shown = answer.content.decode()
    assert "2 of 4 devices" in shown
    assert "It has the template already." in shown
    assert "The portal does not manage its configuration." in shown
    told = client.get(f"{BATCHES}{batch.pk}/forecast/").json()
    (group,) = told["groups"]
    assert (group["devices"], group["added"]) == (["ap-1", "ap-2"], 1)
    start(client, batch, 2)
    bulk_operations.run_due()
    assert Config.objects.filter(uses__template=template).count() == 3


def test_a_template_is_taken_off_and_a_group_is_joined_and_left(
    organization: Organization,
) -> None:
    mine, of_group = factories.template(organization), factories.template(organization)
    group = factories.group(organization, name="Lobby", templates=[of_group])
    row = factories.device(organization, config={"templates": [mine]})
    user = staff(organization)
    for kind, chosen, wanted in (
        ("group", group, [mine, of_group]),
        ("remove_template", mine, [of_group]),
        ("group", None, []),
    ):
        batch = bulk_operations.create_draft(user, kind, Device.objects.filter(pk=row.pk))
        if chosen is not None:
            assert chosen in bulk_operations.choices(batch, user)
        bulk_operations.set_target(batch, chosen)
        assert bulk_operations.preview(batch).looked_at == 1
        bulk_operations.start(batch, shown=1)
        bulk_operations.run_due()
        config = Config.objects.get(device=row)
        assert [use.template for use in config.uses.all()] == wanted
    assert Device.objects.get().group is None


def test_a_device_that_refuses_keeps_the_others_from_nothing(
    organization: Organization,
) -> None:
    rows = devices(organization)
    template = factories.template(organization)
    user = staff(organization)
    batch = bulk_operations.create_draft(user, "add_template", Device.objects.all())
    bulk_operations.set_target(batch, template)
    bulk_operations.start(batch, shown=3)
    inventory.deactivate(rows[1])
    bulk_operations.run_due()
    told = results(batch)
    assert [told[row.name][0] for row in rows] == ["done", "refused", "done"]
    assert "deactivated" in told["ap-1"][1]


def test_deleting_leaves_the_names_on_its_page(organization: Organization) -> None:
    rows = devices(organization, 2)
    gone = inventory.deactivate(factories.device(organization, name="old"))
    client = signed_in(staff(organization, "org_admin"))
    shown = propose(client, "delete", [*rows, gone]).content.decode()
    assert "1 of 3 devices" in shown
    batch = DeviceBatch.objects.get()
    start(client, batch, 1)
    bulk_operations.run_due()
    assert set(Device.objects.values_list("name", flat=True)) == {"ap-0", "ap-1"}
    assert results(batch)["old"] == ("done", "")
    assert "old" in client.get(f"{BATCHES}{batch.pk}/change/").content.decode()


def test_what_changed_since_it_was_shown_is_looked_at_again(
    organization: Organization,
) -> None:
    rows = devices(organization)
    client = signed_in(staff(organization))
    propose(client, "deactivate", rows)
    batch = DeviceBatch.objects.get()
    inventory.deactivate(rows[0])
    assert "not 3 as you were shown" in start(client, batch, 3).content.decode()
    assert start(client, batch, 2).status_code == 200
    assert "started before" in start(client, batch, 2).content.decode()


def test_stopping_leaves_what_waits_as_it_is(organization: Organization) -> None:
    rows = devices(organization)
    client = signed_in(staff(organization))
    propose(client, "deactivate", rows)
    batch = DeviceBatch.objects.get()
    start(client, batch, 3)
    bulk_operations.run_next_row(LeaseHolder(BULK_ROWS))
    assert "under way" in client.post(
        f"{BATCHES}{batch.pk}/discard/", follow=True
    ).content.decode()  # fmt: skip
    client.post(f"{BATCHES}{batch.pk}/stop/")
    assert bulk_operations.run_due() == 0
    assert sorted(state for state, _ in results(batch).values()) == ["done", "left", "left"]


def test_what_fails_for_a_reason_nobody_foresaw_holds_up_nothing(
    organization: Organization,
) -> None:
    client = signed_in(staff(organization))
    propose(client, "deactivate", devices(organization))
    batch = DeviceBatch.objects.get()
    start(client, batch, 3)
    DeviceBatch.objects.update(kind="add_template", values={"template": "not an id"})
    assert bulk_operations.run_due() == 3
    assert set(results(batch).values()) == {("refused", bulk_operations.FAILED)}
    assert DeviceBatch.objects.get().state == "done"


def test_others_neither_see_nor_start_what_one_proposed(organization: Organization) -> None:
    rows = devices(organization)
    propose(signed_in(staff(organization)), "deactivate", rows)
    batch = DeviceBatch.objects.get()
    page = f"{BATCHES}{batch.pk}/change/"
    manager = signed_in(staff(organization, "org_admin"))
    assert manager.get(page).status_code == 200
    assert manager.post(f"{BATCHES}{batch.pk}/start/", {"count": "3"}).status_code == 403
    # Operators may be limited to sites, and the organization has devices elsewhere.
    colleague = signed_in(staff(organization))
    stranger = signed_in(staff(factories.organization(), "org_admin"))
    for other in (colleague, stranger):
        assert other.get(page).status_code == 302
        for verb in ("start", "stop", "choose", "discard"):
            assert other.post(f"{BATCHES}{batch.pk}/{verb}/").status_code == 404
        for part in ("results", "forecast"):
            assert other.get(f"{BATCHES}{batch.pk}/{part}/").status_code == 404


def test_a_viewer_is_offered_nothing_and_devices_of_others_are_not_taken_in(
    organization: Organization,
) -> None:
    mine, theirs = devices(organization, 1), factories.device(factories.organization())
    viewer = signed_in(staff(organization, "viewer"))
    assert "Deactivate …" not in viewer.get(LIST).content.decode()
    propose(viewer, "deactivate", mine)
    assert not DeviceBatch.objects.exists()
    propose(signed_in(staff(organization)), "deactivate", [*mine, theirs])
    assert [row.device for row in DeviceBatchRow.objects.all()] == mine


def test_who_lost_the_right_meanwhile_has_nothing_done(organization: Organization) -> None:
    devices(organization)
    user = staff(organization)
    batch = bulk_operations.create_draft(user, "deactivate", Device.objects.all())
    bulk_operations.start(batch, shown=3)
    user.memberships.update(role="viewer")
    bulk_operations.run_due()
    assert {state for state, _ in results(batch).values()} == {"refused"}
    assert not Device.objects.filter(is_deactivated=True).exists()


def test_groups_and_templates_of_others_cannot_be_chosen(organization: Organization) -> None:
    other = factories.organization()
    client = signed_in(staff(organization))
    rows = devices(organization)
    for kind, foreign in (
        ("group", factories.group(other)),
        ("add_template", factories.template(other)),
        ("add_template", "nonsense"),
    ):
        propose(client, kind, rows)
        batch = DeviceBatch.objects.first()
        chosen = {"chosen": str(getattr(foreign, "pk", foreign))}
        answer = client.post(f"{BATCHES}{batch.pk}/choose/", chosen, follow=True)
        assert "of the list" in answer.content.decode()
        assert "Choose a" in start(client, batch, 3).content.decode()
        assert batch.values == {}


def test_a_draft_costs_as_few_queries_for_many_devices_as_for_few(
    organization: Organization,
) -> None:
    client = signed_in(staff(organization))
    template = factories.template(organization)
    counts = []
    for _ in range(2):
        for _ in range(10):
            factories.device(organization, config={"templates": [template]})
        propose(client, "remove_template", list(Device.objects.all()))
        batch = DeviceBatch.objects.first()
        client.post(f"{BATCHES}{batch.pk}/choose/", {"chosen": str(template.pk)})
        with CaptureQueriesContext(connection) as queries:
            client.get(f"{BATCHES}{batch.pk}/change/")
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_drafts_that_nobody_started_are_forgotten(organization: Organization) -> None:
    devices(organization)
    user = staff(organization)
    old, young = (
        bulk_operations.create_draft(user, "activate", Device.objects.all()) for _ in range(2)
    )
    DeviceBatch.objects.filter(pk=old.pk).update(created=old.created - timedelta(days=2))
    assert bulk_operations.prune() == 1
    assert DeviceBatch.objects.get() == young


def test_a_row_at_which_workers_die_is_given_up_and_blocks_no_other(
    organization: Organization, admin: User
) -> None:
    batch = DeviceBatch.objects.create(
        kind="deactivate", state="running", title="Deactivate", user=admin
    )
    device = factories.device(organization)
    DeviceBatchRow.objects.create(batch=batch, device=device, name="poison")
    past = timezone.now() - timedelta(minutes=1)
    for _ in range(3):
        (row,) = LeaseHolder(BULK_ROWS).lease(1)
        DeviceBatchRow.objects.update(leased_until=past)
        BULK_ROWS.put_back()
        DeviceBatchRow.objects.update(not_before=past)
    bulk_operations.run_due()
    row.refresh_from_db()
    assert (row.state, row.reason) == ("refused", bulk_operations.WORKERS_DIED)
    device.refresh_from_db()
    assert not device.is_deactivated


def test_a_row_that_is_stopped_while_it_is_executed_is_rolled_back(
    organization: Organization, admin: User
) -> None:
    batch = DeviceBatch.objects.create(
        kind="deactivate", state="running", title="Deactivate", user=admin
    )
    device = factories.device(organization)
    DeviceBatchRow.objects.create(batch=batch, device=device, name="ap")
    holder = LeaseHolder(BULK_ROWS)
    (row,) = holder.lease(1, DeviceBatchRow.objects.select_related("batch__user"))
    bulk_operations.stop(batch)
    with pytest.raises(Conflict):
        bulk_operations.execute_once(row, holder)
    device.refresh_from_db()
    row.refresh_from_db()
    assert (device.is_deactivated, row.state) == (False, "left")
