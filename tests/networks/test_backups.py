"""Backups of gateways: taken, kept once, compared without secrets, restored byte by byte."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from controller.accounts.models import AuditEntry, User
from controller.base.errors import Conflict, NotPermitted, Refused
from networks import tasks
from networks.gateways.engine.features import FEATURES
from networks.gateways.engine.features.restores import RESTORES
from networks.gateways.models import Change, Gateway, GatewayBackup, StoredConfiguration
from networks.gateways.rules import (
    backup_files,
    backup_queue,
    backups,
    change_sets,
    changes,
    dry_run,
)
from networks.gateways.rules.backup_comparison import compare, text_without_secrets
from networks.gateways.rules.scheduling import ApplyOptions
from tests import factories
from tests.fleet.gateway import serving
from tests.fleet.gateways import VENDORS
from tests.networks.applying import applied, work_off

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("writes")]
# A setting of each vendor: feature, and two payloads.
SETTINGS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "mikrotik": ("mikrotik.ppp.secret", {"name": "anna", "password": "correct horse"},
                 {"name": "berta", "password": "battery staple"}),
    "opnsense": ("opnsense.dns.host_override",
                 {"hostname": "nas", "domain": "example.org", "server": "192.0.2.5"},
                 {"hostname": "tv", "domain": "example.org", "server": "192.0.2.6"}),
    "pfsense": ("pfsense.dns.host_override", {"host": "nas", "domain": "example.org", "ip": ["192.0.2.5"]},
                {"host": "tv", "domain": "example.org", "ip": ["192.0.2.6"]}),
    "openwrt": ("openwrt.dns.override", {"name": "nas.example.org", "ip": "192.0.2.5"},
                {"name": "tv.example.org", "ip": "192.0.2.6"}),
}  # fmt: skip


@contextmanager
def at(vendor: str, *, version: str = "", is_binary: bool = False) -> Iterator[Any]:
    with serving(VENDORS[vendor](version=version)) as device:
        url = f"http://127.0.0.1:{device.api_port}/api" if is_binary else device.url  # type: ignore[attr-defined]
        yield (
            device,
            factories.gateway(
                factories.organization(),
                url,
                vendor=vendor,
                key=device.key,
                secret=device.secret,
            ),
        )
        assert not device.faults, device.faults


def taken(gateway: Gateway) -> GatewayBackup:
    """Ask for a backup, let the worker take it, and return it."""
    row = backups.request_backup(gateway, by=None)
    tasks.back_up_gateways()
    row.refresh_from_db()
    assert row.state == "stored", row.outcome
    return row


def put(gateway: Gateway, by: User, key: str, payload: dict[str, Any]) -> Change:
    return applied(
        changes.stage(
            gateway, feature=FEATURES[key], operation="create", payload=payload, by=by
        ),
        by,
    )


def test_of_each_vendor_a_backup_is_taken_and_equal_ones_are_kept_once(admin: User) -> None:
    for vendor in VENDORS:
        with at(vendor) as (_, gateway):
            first, again = taken(gateway), taken(gateway)
            assert first.configuration == again.configuration, vendor
            assert first.version
            assert backups.file_of(first).readable, vendor
            stored = StoredConfiguration.objects.filter(gateway=gateway)
            assert stored.count() == 1, vendor


@pytest.mark.parametrize(
    ("vendor", "way"), [*((one, "") for one in sorted(RESTORES)), ("mikrotik", "binary")]
)
def test_a_configuration_is_restored_byte_by_byte(vendor: str, way: str, admin: User) -> None:
    key, first, second = SETTINGS[vendor]
    with at(vendor, is_binary=bool(way)) as (device, gateway):
        put(gateway, admin, key, first)
        before = taken(gateway)
        put(gateway, admin, key, second)
        after = taken(gateway)
        assert before.configuration != after.configuration
        assert compare(before, after).added
        restore = stage_restore(gateway, before, admin)
        assert restore.what.catastrophic
        planned = dry_run.plan(restore, by=admin, how=ApplyOptions(force=True))
        assert planned.requests
        assert not planned.obstacles
        assert "battery" not in str(planned.requests)
        done = applied(restore, admin)
        assert (done.state, device.booted) == ("applied", 2)
        back = taken(gateway)
        assert back.configuration == before.configuration
        if vendor != "openwrt":
            # An archive has the time of its making in it; what it holds is compared above.
            assert plain(backups.file_of(back).contents) == plain(
                backups.file_of(before).contents
            )


def plain(contents: bytes) -> bytes:
    return b"\n".join(one for one in contents.splitlines() if not one.startswith(b"#"))


def stage_restore(gateway: Gateway, row: GatewayBackup, by: User) -> Change:
    if row.gateway == gateway:
        return backup_files.stage_restore(row, by=by)
    feature = RESTORES[gateway.vendor]
    return changes.stage(
        gateway, feature=feature, operation="create", payload={"backup": str(row.pk)}, by=by
    )


def test_opnsense_takes_back_only_what_is_in_its_own_history(admin: User) -> None:
    with at("opnsense") as (device, gateway):
        before = taken(gateway)
        put(gateway, admin, *SETTINGS["opnsense"][:2])
        device.history.clear()
        with pytest.raises(Refused, match="download it here"):
            applied(stage_restore(gateway, before, admin), admin)
        assert Change.objects.latest("created").state == "failed"


def test_who_gives_no_backup_is_told_why_and_nothing_is_stored(admin: User) -> None:
    with at("mikrotik") as (device, gateway):
        device.secret = "another one"
        row = backups.request_backup(gateway, by=None)
        GatewayBackup.objects.update(attempts=backup_queue.MOST_ATTEMPTS - 1)
        tasks.back_up_gateways()
        row.refresh_from_db()
        assert (row.state, row.configuration) == ("failed", None)
        assert "does not accept the key" in row.outcome


def test_a_gateway_that_does_not_answer_is_tried_again_later(organization: Any) -> None:
    gateway = factories.gateway(organization, "http://127.0.0.1:9")
    row = backups.request_backup(gateway, by=None)
    tasks.back_up_gateways()
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("waiting", 1)
    assert row.not_before > timezone.now()
    assert row.leased_until is None


def test_backups_are_taken_as_often_as_the_policy_says(
    organization: Any, settings: Any
) -> None:
    mine, other = (factories.gateway(organization, "http://127.0.0.1:9") for _ in range(2))
    settings.MUSTER_GATEWAY_BACKUP_HOURS = 0
    assert backup_queue.plan_due() == 0
    backups.create_policy(organization=organization, hours=24)
    backups.create_policy(organization=organization, gateway=other, hours=0)
    assert backup_queue.plan_due() == 1
    row = GatewayBackup.objects.get()
    assert row.gateway == mine
    assert backup_queue.plan_due() == 0
    stored(row, timezone.now())
    assert backup_queue.plan_due() == 0
    GatewayBackup.objects.update(created=timezone.now() - timedelta(hours=25))
    assert backup_queue.plan_due() == 1


def stored(row: GatewayBackup, when: Any, digest: str = "") -> GatewayBackup:
    """Make a row a stored backup of that time."""
    row.configuration, _ = StoredConfiguration.objects.get_or_create(
        gateway=row.gateway, digest=digest or row.pk.hex,
        defaults={"name": "export.rsc", "kind": "text", "size": 1, "contents": b"/ip"},
    )  # fmt: skip
    row.state, row.taken, row.created = "stored", when, when
    row.save()
    return row


def test_a_policy_is_of_one_organization_and_there_is_one_of_each_gateway(
    organization: Any,
) -> None:
    gateway = factories.gateway(factories.organization())
    with pytest.raises(Refused, match="another organization"):
        backups.create_policy(organization=organization, gateway=gateway)
    backups.create_policy(organization=organization)
    with pytest.raises(Refused):
        backups.create_policy(organization=organization)


def test_age_and_number_limit_what_is_kept_and_the_newest_stays(organization: Any) -> None:
    gateway = factories.gateway(organization)
    backups.create_policy(organization=organization, keep=3, days=10)
    now = timezone.now()
    rows = [
        stored(
            GatewayBackup.objects.create(gateway=gateway), now - timedelta(days=days), digest
        )
        for days, digest in ((1, "a"), (2, "b"), (3, "a"), (4, "c"), (20, "d"))
    ]
    assert tasks.prune_gateway_backups() == 2
    assert list(gateway.backups.all()) == rows[:3]
    kept = StoredConfiguration.objects.filter(gateway=gateway)
    assert sorted(kept.values_list("digest", flat=True)) == ["a", "b"]
    GatewayBackup.objects.update(created=now - timedelta(days=30))
    tasks.prune_gateway_backups()
    assert gateway.backups.count() == 1


def test_what_waits_is_not_deleted_and_a_second_request_is_the_first(gateway: Gateway) -> None:
    row = backups.request_backup(gateway, by=None)
    assert backups.request_backup(gateway, by=None) == row
    with pytest.raises(Conflict):
        backups.delete_backup(row, by=None)


def test_contents_are_encrypted_compressed_and_compared_without_secrets(admin: User) -> None:
    key, first, second = SETTINGS["mikrotik"]
    with at("mikrotik") as (_, gateway):
        put(gateway, admin, key, first)
        before = taken(gateway)
        put(gateway, admin, key, second)
        after = taken(gateway)
    raw = StoredConfiguration.objects.filter(pk=after.configuration_id)
    with connection.cursor() as cursor:
        cursor.execute("select contents from networks_storedconfiguration")
        column = [bytes(one) for (one,) in cursor.fetchall()]
    assert raw.get().file.contents.startswith(b"#")
    assert not [one for one in column if b"battery" in one or b"/ppp" in one]
    found = compare(before, after)
    (line,) = [one for one in found.lines if one.kind == "added"]
    assert "name=berta" in line.right
    assert "••••" in line.right
    for text in (text_without_secrets(after), str(found)):
        assert "battery" not in text
        assert "correct horse" not in text


def test_backups_that_differ_in_secrets_alone_say_so(admin: User) -> None:
    with at("mikrotik") as (device, gateway):
        put(gateway, admin, *SETTINGS["mikrotik"][:2])
        before = taken(gateway)
        (row,) = device.menus["ppp/secret"].values()
        row["password"] = "another secret"
        found = compare(before, taken(gateway))
    assert found.only_secrets
    assert not found.is_equal
    assert not [one for one in found.lines if one.kind != "equal"]


def test_a_change_set_waits_for_the_backup_of_each_gateway_that_it_changes(admin: User) -> None:
    key, payload, _ = SETTINGS["openwrt"]
    with at("openwrt") as (device, gateway):
        staged = changes.stage(
            gateway, feature=FEATURES[key], operation="create", payload=payload, by=admin
        )
        row = change_sets.create_set([staged], by=admin, name="with a backup")
        change_sets.apply_set(row, by=admin, force=True)
        tasks.advance_set(str(row.pk))
        assert not device.done
        staged.refresh_from_db()
        assert staged.state == "pending"
        tasks.back_up_gateways()
        before = row.backups.get()
        assert (before.state, before.reason) == ("stored", "changes")
        tasks.advance_set(str(row.pk))
        work_off()
        staged.refresh_from_db()
        assert staged.state == "applied"
        assert compare(before, taken(gateway)).added == 3


@pytest.mark.parametrize(
    ("how", "state"), [("try", "applied"), ("must", "pending"), ("never", "applied")]
)
def test_a_failed_backup_stops_a_change_set_only_if_the_policy_says_so(
    how: str, state: str, admin: User
) -> None:
    key, payload, _ = SETTINGS["openwrt"]
    with at("openwrt") as (device, gateway):
        device.file_exec = lambda *_: {"result": [6]}
        backups.create_policy(organization=gateway.organization, before_changes=how)
        staged = changes.stage(
            gateway, feature=FEATURES[key], operation="create", payload=payload, by=admin
        )
        row = change_sets.create_set([staged], by=admin, name="without a backup")
        change_sets.apply_set(row, by=admin, force=True)
        tasks.advance_set(str(row.pk))
        GatewayBackup.objects.update(attempts=backup_queue.MOST_ATTEMPTS - 1)
        tasks.back_up_gateways()
        tasks.advance_set(str(row.pk))
        work_off()
        staged.refresh_from_db()
        row.refresh_from_db()
        assert staged.state == state
        assert ("backup" in row.outcome) is (how == "must")


def test_a_restore_is_approved_by_another_and_names_a_backup_of_its_gateway(
    admin: User,
) -> None:
    with at("openwrt") as (_, gateway):
        row = taken(gateway)
        other = factories.gateway(factories.organization(), vendor="openwrt")
        with pytest.raises(Refused, match="no stored backup"):
            stage_restore(other, row, admin)
        operator = factories.user(gateway.organization, "operator")
        with pytest.raises(NotPermitted):
            stage_restore(gateway, row, operator)
        Gateway.objects.filter(pk=gateway.pk).update(approval="catastrophic")
        gateway.refresh_from_db()
        change = stage_restore(gateway, row, admin)
        with pytest.raises(NotPermitted, match="approv"):
            applied(change, admin)


def test_downloads_are_audited(gateway: Gateway, admin: User) -> None:
    row = stored(GatewayBackup.objects.create(gateway=gateway), timezone.now())
    answer = backup_files.download_response(row, by=admin)
    assert (answer.content, answer["Cache-Control"]) == (b"/ip", "no-store")
    entry = AuditEntry.objects.latest("at")
    assert (entry.action, entry.actor) == ("gateway.backup_downloaded", admin.username)


def test_a_backup_that_takes_long_is_renewed_and_none_is_taken_of_a_gateway_being_changed(
    gateway: Gateway, staged: Any
) -> None:
    change = staged("create", payload={"network": "10.9.0.0/16", "gateway": "WAN"})
    Change.objects.filter(pk=change.pk).update(
        state="unknown", intent={"at": ""}, sent=timezone.now()
    )
    row = backups.request_backup(gateway, by=None)
    tasks.back_up_gateways()
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("waiting", 0)


@pytest.mark.parametrize(
    ("vendor", "why"),
    [("unifi", "on the console"), ("omada", "on the controller itself"), ("proxmox", "nodes")],
)
def test_what_no_api_restores_says_why(vendor: str, why: str, admin: User) -> None:
    gateway = factories.gateway(factories.organization(), vendor=vendor)
    row = stored(GatewayBackup.objects.create(gateway=gateway), timezone.now())
    with pytest.raises(Refused, match=why):
        stage_restore(gateway, row, admin)
    assert not gateway.changes.exists()
