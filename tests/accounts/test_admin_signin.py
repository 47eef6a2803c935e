"""Login of the admin: second factor required, and all attempts audited."""

import time
from typing import Any

import pytest
from django.test import Client

from controller.accounts.engine import totp
from controller.accounts.models import AuditEntry, Authenticator, Organization, User
from controller.accounts.rules import mfa
from tests import factories

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"


@pytest.fixture
def staff(organization: Organization) -> User:
    return factories.user(organization, "org_admin", username="ann", is_staff=True)


def sign_in(**more: str) -> Any:
    return Client().post(LOGIN, {"username": "ann", "password": "a good password"} | more)


def test_a_password_alone_is_enough_without_a_second_factor(staff: User) -> None:
    assert sign_in().status_code == 302
    entry = AuditEntry.objects.get(action="sign_in")
    assert (entry.actor, entry.outcome) == ("ann", "done")


def test_with_a_second_factor_the_password_alone_is_not(staff: User) -> None:
    setup = mfa.start_setup(staff)
    now = int(time.time()) // totp.STEP_SECONDS
    mfa.enable(staff, totp.code_at(setup.secret, now))
    Authenticator.objects.update(last_step=-1)

    refused = sign_in()
    assert refused.status_code == 200
    assert "Enter the code" in refused.content.decode()
    assert "Invalid MFA code" in sign_in(code="000000").content.decode()
    assert AuditEntry.objects.filter(action="sign_in", outcome="refused").exists()
    assert sign_in(code=totp.code_at(setup.secret, now)).status_code == 302
    assert sign_in(code=setup.backup_codes[0]).status_code == 302
    assert sign_in(code=setup.backup_codes[0]).status_code == 200, "good once"


def test_a_wrong_password_is_told_to_the_audit_and_locks_in_the_end(staff: User) -> None:
    for _ in range(5):
        assert sign_in(password="wrong").status_code == 200
    assert sign_in().status_code == 200, "locked, even with the right password"
    assert AuditEntry.objects.filter(outcome="refused", object_name="ann").count() == 6


def test_a_button_leads_to_the_single_sign_on_where_there_is_one(
    db: Any, settings: Any
) -> None:
    assert "oidc" not in Client().get(LOGIN).content.decode()
    settings.MUSTER_OIDC_URL, settings.MUSTER_OIDC_NAME = "https://login.example.org", "Acme"
    assert "Sign in with Acme" in Client().get(LOGIN).content.decode()
