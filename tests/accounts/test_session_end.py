"""Sessions end together, a second factor is turned off with a code, and doors have limits."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from controller.accounts.engine import totp
from controller.accounts.models import (
    ApiToken,
    AuditEntry,
    Authenticator,
    Organization,
    Session,
    User,
)
from controller.accounts.rules import audit, lockouts, mfa, passwords, sessions
from controller.base.errors import Locked
from tests import factories

pytestmark = pytest.mark.django_db
PASSWORD = "a good password"


@pytest.fixture
def user(organization: Organization, settings: Any) -> User:
    settings.MUSTER_SIGN_INS_PER_MINUTE = 0
    return factories.user(organization, "org_admin", is_staff=True)


def browser(user: User) -> Client:
    client = Client(headers={"user-agent": "a browser"})
    client.force_login(user)
    assert client.get("/admin/").status_code == 200
    return client


def is_signed_in(client: Client) -> bool:
    return bool(client.get("/admin/").status_code == 200)


def with_factor(user: User) -> None:
    Authenticator.objects.create(
        user=user, secret=totp.new_secret(), confirmed="2026-01-01T00:00Z"
    )


ENDINGS = {
    "signed out everywhere": lambda user: sessions.revoke_all(user, because="x"),
    "a new password": lambda user: passwords.change_password(
        user, current=PASSWORD, new="another good one"
    ),
    "a password set by others": lambda user: passwords.set_password(
        user, "another good one", by=factories.superuser()
    ),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_everything_that_was_signed_in_ends_together(user: User, how: str) -> None:
    stolen = browser(user)
    tokens = sessions.open_session(user)
    bearer = factories.bearer(user)["Authorization"]
    ENDINGS[how](User.objects.get(pk=user.pk))
    assert not is_signed_in(stolen)
    assert sessions.authenticate_access_token(tokens.access) is None
    assert Client().get("/api/v1/auth/me", headers={"Authorization": bearer}).status_code == 401
    assert not ApiToken.objects.filter(user=user).exists()
    assert not Session.objects.filter(user=user, revoked=None).exists()


def test_a_new_password_in_the_admin_ends_the_others_and_keeps_this_browser(user: User) -> None:
    mine, stolen = browser(user), browser(user)
    tokens = sessions.open_session(user)
    answer = mine.post(
        "/admin/password_change/",
        {"old_password": PASSWORD, "new_password1": "another good one",
         "new_password2": "another good one"},
    )  # fmt: skip
    assert answer.status_code == 302
    assert is_signed_in(mine)
    assert not is_signed_in(stolen)
    assert sessions.authenticate_access_token(tokens.access) is None


def test_browsers_stand_in_the_list_of_sessions_and_can_be_ended_there(
    user: User, api: Any
) -> None:
    one, other = browser(user), browser(user)
    assert Session.objects.filter(user=user, revoked=None).count() == 2
    # The first of two sign-ins; seen again it is still the same one.
    one.get("/admin/")
    client = api(user)
    rows = client.get("/api/v1/auth/sessions").json()["sessions"]
    assert [row["user_agent"] for row in rows] == ["a browser", "a browser"]
    first = Session.objects.filter(user=user).earliest("created")
    assert client.delete(f"/api/v1/auth/sessions/{first.pk}").status_code == 200
    assert not is_signed_in(one)
    assert is_signed_in(other)
    other.post("/admin/logout/")
    assert not Session.objects.filter(user=user, revoked=None).exists()


def test_a_second_factor_is_turned_off_with_a_code(user: User) -> None:
    with_factor(user)
    row = Authenticator.objects.get(user=user)
    client, stolen = browser(user), browser(user)
    page = "/admin/accounts/user/second-factor/"
    client.post(page, {"do": "off", "password": PASSWORD})
    client.post(page, {"do": "off", "password": PASSWORD, "code": "000000"})
    assert mfa.is_enabled(user)
    code = totp.code_at(row.secret, int(timezone.now().timestamp()) // 30)
    client.post(page, {"do": "off", "password": PASSWORD, "code": code})
    assert not mfa.is_enabled(user)
    assert is_signed_in(client)
    assert not is_signed_in(stolen)


def test_what_is_typed_at_one_door_locks_no_other(user: User) -> None:
    for name in (f"password {user.pk}", f"mfa {user.pk}", str(user.pk)):
        for _ in range(6):
            lockouts.record_failure(lockouts.Kind.SIGN_IN, name)
    for kind in (lockouts.Kind.PASSWORD, lockouts.Kind.MFA):
        lockouts.raise_if_locked(kind, str(user.pk))


def test_a_stranger_locks_nobody_else_out(user: User, client: Client) -> None:
    def sign_in(address: str, password: str) -> int:
        body = {"login": user.email, "password": password}
        return client.post(
            "/api/v1/auth/login", body, content_type="application/json", REMOTE_ADDR=address
        ).status_code

    assert [sign_in("192.0.2.1", "wrong") for _ in range(6)][-1] == 423
    assert sign_in("192.0.2.1", PASSWORD) == 423
    assert sign_in("192.0.2.2", PASSWORD) == 200


def test_spelling_a_name_otherwise_is_no_further_try() -> None:
    for name in ("alice@example.org", "ALICE@example.org", "\uff41lice@example.org",
                 " alice@example.org", "Alice@Example.org"):  # fmt: skip
        lockouts.record_failure(lockouts.Kind.SIGN_IN, name)
    with pytest.raises(Locked):
        lockouts.raise_if_locked(lockouts.Kind.SIGN_IN, "alice@example.org")


DOORS = {
    "/admin/login/": "MUSTER_PAGE_SIGN_INS_PER_MINUTE",
    "/controller/register/": "MUSTER_REGISTRATIONS_PER_MINUTE",
    "/.well-known/est/1/simpleenroll": "MUSTER_REGISTRATIONS_PER_MINUTE",
    "/api/v1/auth/login": "MUSTER_SIGN_INS_PER_MINUTE",
    "/api/v1/users/token/": "MUSTER_TOKENS_PER_MINUTE",
    "/api/join/": "MUSTER_JOINS_PER_MINUTE",
}


@pytest.mark.parametrize("door", DOORS)
def test_every_door_counts_by_address_and_by_itself(
    client: Client, settings: Any, door: str
) -> None:
    for name in DOORS.values():
        setattr(settings, name, 3)
    assert 429 not in {client.post(door).status_code for _ in range(3)}
    assert client.post(door).status_code == 429
    assert client.post(door, REMOTE_ADDR="192.0.2.9").status_code != 429
    assert 429 not in {client.post(other).status_code for other in DOORS if other != door}


# --- the end of the audit


def test_an_end_that_was_cut_off_is_missed_by_who_kept_the_head(
    organization: Organization, capsys: Any
) -> None:
    for number in range(5):
        audit.record_audit(f"test {number}", organization)
    audit.seal_entries()
    (head,) = [one for one in audit.heads() if one.startswith(str(organization.pk))]
    call_command("audit_verify", since=[head])
    assert head in capsys.readouterr().out
    kept = AuditEntry.objects.get(organization=organization, number=3)
    with connection.cursor() as sql:
        sql.execute("DELETE FROM accounts_auditentry WHERE number > 3")
        sql.execute("UPDATE accounts_auditchain SET number = 3, seal = %s", [kept.seal])
    call_command("audit_verify")
    with pytest.raises(CommandError, match="held before"):
        call_command("audit_verify", since=[head])
    for nonsense in ("x", "portal:1:", "portal:-1:ab", f"{organization.pk}:3:{kept.seal[:-1]}"):
        with pytest.raises(CommandError):
            call_command("audit_verify", since=[nonsense])
    call_command("audit_verify", since=[f"{organization.pk}:3:{kept.seal}"])
