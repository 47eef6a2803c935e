import re
from typing import Any

import pytest
from django.test import Client

from controller.accounts.models import ApiToken, Invitation, Membership, Organization, User
from controller.accounts.rules import authenticate_token, invitations, issue_token
from controller.devices.rules import settings_of
from tests import factories

ORGANIZATIONS = "/admin/accounts/organization/"
USERS = "/admin/accounts/user/"
TOKENS = "/admin/accounts/apitoken/"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def member(organization: Organization, role: str) -> User:
    return factories.user(organization, role, is_staff=True)


def form_of(organization: Organization, **changes: Any) -> dict[str, Any]:
    settings = settings_of(organization)
    members = list(organization.memberships.order_by("pk"))
    sent = {
        "name": organization.name,
        "slug": organization.slug,
        "email": "",
        "url": "",
        "description": "",
        "is_active": "on",
        "device_settings-TOTAL_FORMS": "1",
        "device_settings-INITIAL_FORMS": "1",
        "device_settings-0-id": str(settings.pk),
        "device_settings-0-organization": str(organization.pk),
        "device_settings-0-registration_enabled": "on",
        "device_settings-0-device_limit": "0",
        "device_settings-0-shared_secret": settings.shared_secret,
        "device_settings-0-context": "{}",
        "memberships-TOTAL_FORMS": str(len(members)),
        "memberships-INITIAL_FORMS": str(len(members)),
        "invitations-TOTAL_FORMS": "0",
        "invitations-INITIAL_FORMS": "0",
    }
    for at, row in enumerate(members):
        sent |= {f"memberships-{at}-id": str(row.pk), f"memberships-{at}-role": row.role}
    return sent | changes


def page(organization: Organization) -> str:
    return f"{ORGANIZATIONS}{organization.pk}/change/"


@pytest.mark.parametrize(
    ("role", "sees"), [("org_admin", True), ("operator", False), ("viewer", False)]
)
def test_only_who_may_reads_the_shared_secret(
    organization: Organization, role: str, sees: bool
) -> None:
    secret = settings_of(organization).shared_secret
    shown = signed_in(member(organization, role)).get(page(organization)).content.decode()
    assert organization.name in shown
    assert (secret in shown) is sees


def test_a_new_shared_secret_takes_the_place_of_the_old(organization: Organization) -> None:
    before = settings_of(organization).shared_secret
    client = signed_in(member(organization, "org_admin"))
    pressed = {"accounts_organization_rotate_secret": "1"}
    assert client.post(page(organization), form_of(organization, **pressed)).status_code == 302
    assert settings_of(organization).shared_secret != before


def test_an_operator_makes_no_new_shared_secret(organization: Organization) -> None:
    before = settings_of(organization).shared_secret
    client = signed_in(member(organization, "operator"))
    pressed = {"accounts_organization_rotate_secret": "1"}
    assert client.post(page(organization), form_of(organization, **pressed)).status_code == 403
    assert settings_of(organization).shared_secret == before


def test_a_superuser_adds_a_member_by_name(admin: User, organization: Organization) -> None:
    client, newcomer = signed_in(admin), factories.user()
    sent = form_of(organization) | {
        "memberships-TOTAL_FORMS": "1",
        "memberships-0-person": newcomer.email.upper(),
        "memberships-0-role": "operator",
    }
    assert client.post(page(organization), sent).status_code == 302
    assert Membership.objects.get(user=newcomer).role == "operator"
    sent = form_of(organization) | {
        "memberships-TOTAL_FORMS": "2",
        "memberships-1-person": "nobody-of-this-name",
        "memberships-1-role": "operator",
    }
    assert "Nobody has this" in client.post(page(organization), sent).content.decode()


def test_an_administrator_invites_a_member(
    organization: Organization, mailoutbox: Any, django_capture_on_commit_callbacks: Any
) -> None:
    client = signed_in(member(organization, "org_admin"))
    newcomer = factories.user()
    sent = form_of(organization) | {
        "invitations-TOTAL_FORMS": "1",
        "invitations-0-email": newcomer.email,
        "invitations-0-role": "operator",
        "invitations-0-level": "read",
    }
    assert client.post(page(organization), sent).status_code == 302
    row = Invitation.objects.get()
    assert invitations.mail(str(row.pk))
    (mail,) = mailoutbox
    assert mail.to == [newcomer.email]
    path = invitations.link_of(row).partition("/account/")[2]
    accepting = signed_in(newcomer)
    assert "invites you as Operator" in accepting.get(f"/account/{path}").content.decode()
    assert not Membership.objects.filter(user=newcomer).exists()
    assert accepting.post(f"/account/{path}").status_code == 302
    assert Membership.objects.get(user=newcomer).role == "operator"


def test_an_administrator_sees_neither_other_organizations_nor_users(
    organization: Organization,
) -> None:
    other = factories.organization("Somebody Else")
    client = signed_in(member(organization, "org_admin"))
    assert "Somebody Else" not in client.get(ORGANIZATIONS).content.decode()
    assert client.get(page(other)).status_code == 302
    assert client.get(f"{ORGANIZATIONS}add/").status_code in {200, 403}
    assert client.get(USERS).status_code == 403


def test_an_organization_with_devices_is_not_deleted(
    admin: User, organization: Organization
) -> None:
    factories.device(organization)
    answer = signed_in(admin).post(
        f"{ORGANIZATIONS}{organization.pk}/delete/", {"post": "yes"}, follow=True
    )
    assert "still has devices" in answer.content.decode()
    assert Organization.objects.filter(pk=organization.pk).exists()


def test_a_superuser_makes_a_user_who_can_sign_in(admin: User) -> None:
    answer = signed_in(admin).post(
        f"{USERS}add/",
        {
            "username": "ada",
            "email": "ada@example.org",
            "usable_password": "true",
            "password1": "a rather good one",
            "password2": "a rather good one",
            "memberships-TOTAL_FORMS": "0",
            "memberships-INITIAL_FORMS": "0",
        },
    )
    assert answer.status_code == 302
    assert User.objects.get(username="ada").check_password("a rather good one")


def test_the_last_superuser_stays_one(admin: User) -> None:
    client = signed_in(admin)
    sent = {
        "username": admin.username,
        "email": admin.email,
        "is_active": "on",
        "is_staff": "on",
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
    }
    answer = client.post(f"{USERS}{admin.pk}/change/", sent)
    assert "last superuser" in answer.content.decode()
    client.post(f"{USERS}{admin.pk}/delete/", {"post": "yes"})
    admin.refresh_from_db()
    assert admin.is_superuser


def test_a_token_is_told_once_and_works(organization: Organization) -> None:
    user = member(organization, "viewer")
    answer = signed_in(user).post(f"{TOKENS}add/", {"name": "script"})
    token = re.search(r"\b[0-9a-f]{40}\b", answer.content.decode())
    assert token
    assert "no-store" in answer["Cache-Control"]
    assert authenticate_token(token[0]) == user
    row = ApiToken.objects.get(name="script")
    for path in ("", f"{row.pk}/change/"):
        assert token[0] not in signed_in(user).get(TOKENS + path).content.decode()


def test_nobody_makes_or_takes_tokens_of_others(organization: Organization) -> None:
    user, other = member(organization, "org_admin"), factories.user(organization)
    issue_token(other, name="of another")
    theirs = ApiToken.objects.get(name="of another")
    client = signed_in(user)
    client.post(f"{TOKENS}add/", {"name": "mine", "user": str(other.pk)})
    assert ApiToken.objects.get(name="mine").user == user
    client.post(f"{TOKENS}{theirs.pk}/delete/", {"post": "yes"})
    client.post(
        TOKENS, {"action": "delete_selected", "_selected_action": [theirs.pk], "post": "yes"}
    )
    assert ApiToken.objects.filter(pk=theirs.pk).exists()
    assert "of another" not in client.get(TOKENS).content.decode()


def test_inactive_organizations_give_no_rights(organization: Organization) -> None:
    user = member(organization, "org_admin")
    Organization.objects.update(is_active=False)
    assert signed_in(user).get(ORGANIZATIONS).status_code == 403
