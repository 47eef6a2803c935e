"""Audit log: all writes by users, masked secrets, tamper-evident hash chain."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from rest_framework.test import APIClient

from controller.accounts.models import AuditChain, AuditEntry, Membership, Organization, User
from controller.accounts.rules import audit, sites
from controller.base.errors import Conflict
from controller.base.masking import MASK
from tests import factories

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]
LOGS = "/api/v1/audit/logs/"


def only(**by: Any) -> AuditEntry:
    return AuditEntry.objects.get(**by)


def test_an_api_write_is_told_with_who_what_where_before_and_after(
    api: Api, organization: Organization
) -> None:
    user = factories.user(organization, "org_admin")
    client = api(user)
    site = sites.create_site(organization=organization, name="Oslo", slug="oslo", city="Oslo")
    assert not AuditEntry.objects.exists(), "nobody was at work"
    answer = client.patch(
        f"/api/v1/sites/{site.pk}/", {"city": "Bergen"}, HTTP_X_REQUEST_ID="trace-1"
    )
    assert answer.status_code == 200
    entry = only(action="update")
    assert (entry.before, entry.after) == ({"city": "Oslo"}, {"city": "Bergen"})
    assert (entry.actor, entry.actor_id, entry.channel) == (user.username, user.pk, "token")
    assert (entry.address, entry.request_id) == ("127.0.0.1", "ext-trace-1")
    assert (entry.object_type, entry.object_id) == ("accounts.site", str(site.pk))
    assert (entry.object_name, entry.organization) == ("Oslo", organization)

    client.patch(f"/api/v1/sites/{site.pk}/", {"city": "Bergen"})
    assert AuditEntry.objects.count() == 1, "what changes nothing is not told"
    client.delete(f"/api/v1/sites/{site.pk}/")
    assert only(action="delete").before["city"] == "Bergen"


def test_what_is_rolled_back_leaves_no_trace(api: Api, organization: Organization) -> None:
    with transaction.atomic():
        audit.record_audit("try", organization)
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()


def test_secrets_are_masked_and_their_change_is_told(
    api: Api, organization: Organization
) -> None:
    client = api(factories.user(organization, "org_admin"))
    made = client.post(
        "/api/v1/controller/credential/",
        {
            "organization": str(organization.pk), "name": "root", "auto_add": False,
            "connector": "openwisp_controller.connection.connectors.ssh.Ssh",
            "params": {"username": "root", "password": "hunter2-hunter2"},
        },
    )  # fmt: skip
    assert made.status_code == 201, made.json()
    device = factories.device(organization)
    client.patch(f"/api/v1/controller/device/{device.pk}/", {"key": "0123456789abcdef" * 2})
    text = json.dumps([[e.before, e.after] for e in AuditEntry.objects.all()])
    assert "hunter2" not in text
    assert "0123456789abcdef" not in text
    changed = only(object_type="devices.device", action="update")
    assert changed.after == {"key": MASK}


def test_the_admin_is_told_of_too(client: Any, admin: User) -> None:
    client.force_login(admin)
    client.post("/admin/accounts/organization/add/", {"name": "Acme", "slug": "acme"})
    entry = only(action="create", object_type="accounts.organization")
    assert (entry.actor, entry.channel, entry.after["name"]) == (
        admin.username, "browser", "Acme",
    )  # fmt: skip


def test_templates_of_a_device_are_told_by_name(api: Api, organization: Organization) -> None:
    device = factories.device(organization, config={})
    template = factories.template(organization, name="motd")
    answer = api(factories.user(organization)).patch(
        f"/api/v1/controller/device/{device.pk}/",
        {"config": {"templates": [str(template.pk)]}},
        format="json",
    )
    assert answer.status_code == 200, answer.json()
    assert only(action="assign_templates").after == {"templates": ["motd"]}


def test_refused_attempts_and_failed_sign_ins_are_told(
    api: Api, organization: Organization
) -> None:
    viewer = factories.user(organization, "viewer", username="vera")
    site = sites.create_site(organization=organization, name="Oslo", slug="oslo")
    sites.grant(viewer.memberships.get(), site, "read", by=factories.superuser())
    assert api(viewer).delete(f"/api/v1/sites/{site.pk}/").status_code == 403
    entry = only(outcome="refused")
    assert (entry.actor, entry.action, entry.object_id) == ("vera", "site:delete", str(site.pk))
    assert entry.organization == organization

    APIClient().post("/api/v1/auth/login", {"login": "vera", "password": "wrong"})
    failed = only(action="sign_in")
    assert (failed.outcome, failed.object_name, failed.object_id, failed.organization) == (
        "refused", "vera", str(viewer.pk), organization,
    )  # fmt: skip
    APIClient().post("/api/v1/auth/login", {"login": "vera", "password": "a good password"})
    done = only(action="sign_in", outcome="done")
    assert (done.actor, done.object_type) == ("vera", "accounts.session")
    assert "wrong" not in json.dumps([str(e.__dict__) for e in AuditEntry.objects.all()])


def test_every_organization_reads_its_own_and_managers_alone(
    api: Api, organization: Organization
) -> None:
    other = factories.organization()
    for owner in (organization, other):
        audit.record_audit("test", owner, organization_id=owner.pk)
    audit.record_audit("test", organization_id=None)
    listed = api(factories.user(organization, "org_admin")).get(LOGS).json()
    assert [row["organization_id"] for row in listed["items"]] == [str(organization.pk)]
    foreign = only(organization=other)
    assert (
        api(factories.user(organization, "org_admin")).get(f"{LOGS}{foreign.pk}/").status_code
        == 404
    )
    assert api(factories.user(organization, "operator")).get(LOGS).status_code == 403
    assert api(factories.superuser()).get(LOGS, {"action": "test"}).json()["total"] == 3
    assert api(factories.superuser()).delete(f"{LOGS}{foreign.pk}/").status_code == 405


def test_the_list_is_filtered_and_exported(api: Api, organization: Organization) -> None:
    for number in range(3):
        audit.record_audit(f"step{number}", organization, after={"note": "=1+1"})
    client = api(factories.superuser())
    assert client.get(LOGS, {"action": "step1"}).json()["total"] == 1
    assert client.get(LOGS, {"search": "STEP"}).json()["total"] == 3
    assert client.get(LOGS, {"resource_id": str(organization.pk)}).json()["total"] == 3
    assert client.get(LOGS, {"status": "nothing"}).status_code == 422
    assert client.get(LOGS, {"start_date": "2999-01-01T00:00:00Z"}).json()["total"] == 0
    answer: Any = client.get("/api/v1/audit/export/", {"search": "step"})
    table = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [row["action"] for row in table] == ["step0", "step1", "step2"]


def test_exports_are_csv_or_json_by_either_method(api: Api, organization: Organization) -> None:
    for number in range(3):
        audit.record_audit(f"step{number}", organization)
    client, url = api(factories.superuser()), "/api/v1/audit/export"

    def read(answer: Any) -> str:
        assert answer.status_code == 200, answer.content
        return b"".join(answer.streaming_content).decode()

    assert read(client.get(url, {"format": "csv", "action": "step1"})).count("\n") == 2
    rows = json.loads(read(client.get(url, {"format": "json", "search": "step"})))
    assert [row["action"] for row in rows] == ["step0", "step1", "step2"]
    assert json.loads(read(client.get(url, {"format": "json", "action": "none"}))) == []
    wanted = {"format": "json", "actions": ["step0", "step2"], "resource_types": None,
              "start_date": "2020-01-01", "end_date": None}  # fmt: skip
    answer = client.post(url, wanted, format="json")
    assert answer["Content-Disposition"] == 'attachment; filename="audit.json"'
    assert [row["action"] for row in json.loads(read(answer))] == ["step0", "step2"]
    wrong = client.get(url, {"format": "xml"})
    assert (wrong.status_code, wrong.json()["error"]["details"][0]["field"]) == (
        422,
        "query.format",
    )
    for body in ({"format": "pdf"}, {"actions": "x"}, {"start_date": "soon"}):
        assert client.post(url, body, format="json").status_code == 422
    operator = api(factories.user(organization, "operator"))
    assert operator.post(url, {}, format="json").status_code == 403


def test_a_list_costs_as_many_queries_for_many_rows_as_for_one(
    api: Api, organization: Organization, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        audit.record_audit(f"step{number}", organization)
    client = api(factories.superuser())
    client.get(LOGS)
    with django_assert_max_num_queries(3):
        assert len(client.get(LOGS).json()["items"]) == 25


def chained(organization: Organization, number: int = 5) -> None:
    for at in range(number):
        audit.record_audit(
            "step", organization, after={"at": at, "big": 1e22, "text": "é\u2028"}
        )
    assert audit.seal_entries() == number


def execute(sql: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def problems() -> list[str]:
    return [one for chain in audit.verify_chains() for one in chain.problems]


def test_a_chain_holds_and_grows(organization: Organization, capsys: Any) -> None:
    chained(organization)
    audit.record_audit("later", organization)
    assert problems() == []
    call_command("audit_verify")
    assert f"{organization.name}: 6 entries" in capsys.readouterr().out
    numbers = AuditEntry.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE accounts_auditentry SET actor = 'mallory' WHERE number = 3", "3 was altered"),
        ("DELETE FROM accounts_auditentry WHERE number = 3", "between number 2 and 4"),
        ("DELETE FROM accounts_auditentry WHERE number > 3", "after number 3 are missing"),
        ("UPDATE accounts_auditentry SET seal = digest WHERE number = 3", "seal of number 3"),
        ("UPDATE accounts_auditentry SET number = number + 1 WHERE number = 5", "between number 4"),
        ("UPDATE accounts_auditchain SET number = 4", "the end of the chain was altered"),
    ],
)  # fmt: skip
def test_whatever_is_bent_in_the_database_shows(
    organization: Organization, sql: str, said: str
) -> None:
    chained(organization)
    execute(sql)
    assert any(said in one for one in problems()), problems()
    with pytest.raises(CommandError, match="tampered"):
        call_command("audit_verify")


def test_an_entry_that_waits_for_its_seal_cannot_be_altered_either(
    organization: Organization,
) -> None:
    audit.record_audit("step", organization)
    execute("UPDATE accounts_auditentry SET action = 'other'")
    assert any("was altered" in one for one in problems())


def test_each_organization_has_a_chain_of_its_own(organization: Organization) -> None:
    other = factories.organization()
    chained(organization, 2)
    chained(other, 3)
    assert {one.number for one in AuditChain.objects.all()} == {2, 3}
    execute(
        "DELETE FROM accounts_auditentry WHERE organization_id = %s AND number = 1",
        other.pk.hex if connection.vendor == "sqlite" else str(other.pk),
    )
    broken = [chain.name for chain in audit.verify_chains() if chain.problems]
    assert broken == [str(other.pk)]


def test_entries_are_never_changed_or_deleted_by_code(organization: Organization) -> None:
    audit.record_audit("step", organization)
    entry = only(action="step")
    with pytest.raises(Conflict):
        entry.save()
    with pytest.raises(Conflict):
        entry.delete()


def test_an_organization_that_is_gone_keeps_its_audit(api: Api, admin: User) -> None:
    organization = factories.organization()
    audit.record_audit("step", organization)
    assert (
        api(admin).delete(f"/api/v1/users/organization/{organization.pk}/").status_code == 204
    )
    audit.seal_entries()
    assert problems() == []
    assert AuditEntry.objects.filter(organization_id=organization.pk).count() == 2


def test_a_managers_own_chains_are_validated_over_the_api(
    api: Api, organization: Organization
) -> None:
    chained(organization, 2)
    chained(factories.organization(), 2)
    answer = api(factories.user(organization)).get("/api/v1/audit/validate/").json()
    assert answer["valid"] is True
    assert [chain["chain"] for chain in answer["chains"]] == [str(organization.pk)]
    assert not Membership.objects.filter(role="super_admin").exists()


def test_the_web_client_finds_security_events_and_outcomes(
    api: Any, admin: User, organization: Organization
) -> None:
    audit.record_audit("sign_in", admin, by=admin, detail="with a password")
    client = api(admin)
    found = client.get("/api/v1/audit/security-events?per_page=50").json()
    assert [(one["event_type"], one["success"]) for one in found["items"]] == [
        ("sign_in", True)
    ]
    logged = client.get("/api/v1/audit/logs?status=success&action=sign_in").json()
    assert [(one["status"], one["actor_type"]) for one in logged["items"]] == [
        ("success", "user")
    ]
    viewer = api(factories.user(organization, "viewer"))
    assert viewer.get("/api/v1/audit/security-events").status_code == 403
