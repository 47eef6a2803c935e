"""Users, organizations, groups and e-mails in OpenWISP's API, with permissions."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from rest_framework.test import APIClient

from controller.accounts.models import Membership, Organization, User
from controller.accounts.rules import passwords
from tests import factories

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]
USERS, ORGS = "/api/v1/users/user/", "/api/v1/users/organization/"
GROUPS = "/api/v1/users/group/"


def test_a_user_is_made_as_openwisps_clients_make_one(
    api: Api, admin: User, organization: Organization
) -> None:
    client = api(admin)
    made = client.post(
        USERS,
        {
            "username": "op", "password": "Tester-1234", "email": "op@peer.example",
            "is_staff": True,
            "organization_users": {"is_admin": True, "organization": str(organization.pk)},
        },
    )  # fmt: skip
    assert made.status_code == 201, made.content
    membership = {"is_admin": True, "organization": str(organization.pk)}
    assert {k: v for k, v in made.json().items() if k != "id"} == {
        "username": "op", "email": "op@peer.example", "first_name": "", "last_name": "",
        "phone_number": None, "birth_date": None, "is_active": True, "is_staff": True,
        "is_superuser": False, "expiration_date": None, "groups": [],
        "organization_users": [membership],
    }  # fmt: skip
    url = f"{USERS}{made.json()['id']}/"
    changed = client.patch(url, {"first_name": "Op"}).json()
    assert list(changed) == [
        "id", "username", "first_name", "last_name", "email", "bio", "url", "company",
        "location", "phone_number", "birth_date", "notes", "is_active", "is_staff",
        "is_superuser", "last_login", "expiration_date", "date_joined", "groups",
        "user_permissions", "organization_users",
    ]  # fmt: skip
    assert changed["organization_users"] == [membership]
    assert client.put(url, {}).json() == {"username": ["This field is required."]}
    assert client.post(USERS, {}).json() == {
        field: ["This field is required."] for field in ("username", "email", "password")
    }
    assert api(None).post("/api/v1/users/token/", {"username": "op", "password": "Tester-1234"}
                          ).status_code == 200  # fmt: skip
    assert client.delete(url).status_code == 204


def test_organizations_groups_and_emails_have_the_shapes_of_the_original(
    api: Api, admin: User
) -> None:
    client = api(admin)
    made = client.post(ORGS, {"name": "Org 2", "slug": "org-2"})
    assert list(made.json()) == [
        "id", "name", "is_active", "slug", "description", "email", "url", "created", "modified",
    ]  # fmt: skip
    url = f"{ORGS}{made.json()['id']}/"
    assert client.patch(url, {"description": "changed"}).json()["owner"] is None
    assert client.post(ORGS, {}).json().keys() == {"name", "slug"}
    device = factories.device(Organization.objects.get(slug="org-2"))
    assert client.delete(url).status_code == 409
    device.delete()
    assert client.delete(url).status_code in {204, 409}

    group = client.post(GROUPS, {"name": "grp", "permissions": []}).json()
    assert group.keys() == {"id", "name", "permissions"}
    assert client.delete(f"{GROUPS}{group['id']}/").status_code == 204

    person = factories.user()
    emails = f"{USERS}{person.pk}/email/"
    added = client.post(emails, {"email": "x@peer.example", "verified": True, "primary": True})
    assert added.json().keys() == {"id", "email", "verified", "primary"}
    assert added.json()["verified"] is False, "nobody says that of themselves"
    person.refresh_from_db()
    assert person.email == "x@peer.example"
    row = f"{emails}{added.json()['id']}/"
    assert client.delete(row).status_code == 409, "the primary one stays"
    assert client.get(emails).json()["count"] == 2
    taken = client.post(emails, {"email": admin.email})
    assert taken.status_code == 400


def test_a_manager_sees_and_changes_only_the_users_of_their_organizations(
    api: Api, organization: Organization
) -> None:
    manager = factories.user(organization, "org_admin")
    member, stranger = (
        factories.user(organization, "viewer"),
        factories.user(factories.organization()),
    )
    client = api(manager)
    listed = {row["id"] for row in client.get(USERS).json()["results"]}
    assert listed == {str(manager.pk), str(member.pk)}
    assert client.get(f"{USERS}{stranger.pk}/").status_code == 404
    assert client.patch(f"{USERS}{member.pk}/", {"bio": "x"}).status_code == 200
    # Changing a member of another organization would take the account over there.
    Membership.objects.create(
        user=member, organization=factories.organization(), role="org_admin"
    )
    assert client.patch(f"{USERS}{member.pk}/", {"bio": "y"}).status_code == 403
    password = {"current_password": None, "new_password": "Tester-12345",
                "confirm_password": "Tester-12345"}  # fmt: skip
    assert client.put(f"{USERS}{member.pk}/password/", password).status_code == 403
    assert client.patch(f"{USERS}{member.pk}/email/1/", {}).status_code in {403, 404}
    assert client.delete(f"{USERS}{member.pk}/").status_code == 403
    assert client.get(f"{USERS}{factories.superuser().pk}/").status_code == 404


def test_nobody_gives_more_than_they_have(api: Api, organization: Organization) -> None:
    manager = factories.user(organization, "org_admin")
    client = api(manager)
    person = {"username": "p", "email": "p@example.org", "password": "Tester-1234"}

    def member(role: str, of: Organization = organization) -> dict[str, Any]:
        return {"organization_users": [{"organization": str(of.pk), "role": role}]}

    assert client.post(USERS, person).status_code == 400, "in no organization at all"
    assert client.post(USERS, person | member("admin")).status_code == 403
    elsewhere = factories.organization()
    assert client.post(USERS, person | member("viewer", elsewhere)).status_code == 400
    for flag in ("is_superuser",):
        assert client.post(USERS, person | member("viewer") | {flag: True}).status_code == 403
    made = client.post(USERS, person | member("operator"))
    assert made.status_code == 201
    assert not User.objects.filter(username="p", is_superuser=True).exists()
    own = f"{USERS}{manager.pk}/"
    assert client.patch(own, member("admin")).status_code == 403
    for role in ("site_admin", "operator", "viewer", "guest"):
        below = api(factories.user(organization, role))
        assert below.get(USERS).status_code == 403, role
        assert below.post(USERS, person | {"username": "q"}).status_code == 403, role
        assert below.post(GROUPS, {"name": "g"}).status_code == 403, role
    assert client.post(ORGS, {"name": "N", "slug": "n"}).status_code == 403
    assert client.post(GROUPS, {"name": "g"}).status_code == 403
    owner = api(factories.user(organization, "admin"))
    assert owner.patch(f"{USERS}{made.json()['id']}/", member("admin")).status_code == 200


def test_groups_permit_beyond_the_role_in_each_organization_of_a_member(
    api: Api, admin: User, organization: Organization
) -> None:
    listed = api(admin).options(GROUPS)
    assert listed.status_code == 200
    from django.contrib.auth.models import Permission

    change = Permission.objects.get(codename="change_device")
    group = api(admin).post(GROUPS, {"name": "movers", "permissions": [change.pk]}).json()
    assert group["permissions"] == [f"{change.pk}: device | Can change device"]
    assert api(admin).put(f"{GROUPS}{group['id']}/", group).status_code == 200
    viewer = factories.user(organization, "viewer")
    url = f"/api/v1/devices/{factories.device(organization).pk}/"
    elsewhere = f"/api/v1/devices/{factories.device(factories.organization()).pk}/"
    assert api(viewer).patch(url, {"notes": "x"}).status_code == 403
    viewer.groups.set([group["id"]])
    again = User.objects.get(pk=viewer.pk)
    assert "device:update" in again.permissions
    assert api(again).patch(url, {"notes": "x"}).status_code == 200
    assert api(again).patch(elsewhere, {"notes": "x"}).status_code == 404
    assert api(again).delete(url).status_code == 403


def test_passwords_are_changed_and_reset_as_openwisps_clients_do_it(api: Api) -> None:
    person = factories.user(username="carl")
    client = api(person)
    url = "/api/v1/users/user/password/change/"
    assert set(client.post(url, {}).json()) == {
        "new_password1", "new_password2", "old_password",
    }  # fmt: skip
    new = {"new_password1": "Tester-12345", "new_password2": "Tester-12345"}
    assert client.post(url, {"old_password": "bad", **new}).status_code == 400
    assert client.post(url, {"old_password": "a good password", **new}).status_code == 200
    own = f"{USERS}{person.pk}/password/"
    wrong = {"current_password": "bad", "new_password": "Abc12345!",
             "confirm_password": "Abc12345!"}  # fmt: skip
    assert api(person).put(own, wrong).status_code == 400

    asked = api(None).post("/api/v1/users/password/reset/", {"input": "nobody@peer.example"})
    assert asked.json() == {"detail": "Password reset e-mail has been sent."}
    passwords.send_reset_link(str(person.pk))
    words = mail.outbox[0].body.rsplit("uid ", 1)[1].replace(",", " ").split()
    confirm = "/api/v1/users/password/reset/confirm/"
    assert set(api(None).post(confirm, {}).json()) == {
        "new_password1", "new_password2", "uid", "token",
    }  # fmt: skip
    given = {"uid": words[0], "token": words[2], **new}
    assert api(None).post(confirm, given).status_code == 200
    assert api(None).post(confirm, given).status_code == 400


def test_the_last_superuser_stays_and_nobody_deletes_themselves(api: Api, admin: User) -> None:
    url = f"{USERS}{admin.pk}/"
    assert api(admin).patch(url, {"is_superuser": False}).status_code == 409
    assert api(admin).patch(url, {"is_active": False}).status_code == 409
    assert api(admin).delete(url).status_code == 409


def test_an_account_that_is_off_or_over_is_refused_at_once(api: Api, admin: User) -> None:
    person = factories.user(factories.organization())
    client = api(person)
    assert client.get("/api/v1/auth/me").status_code == 200
    url, today = f"{USERS}{person.pk}/", timezone.localdate()
    last = api(admin).patch(url, {"expiration_date": str(today)}).json()
    assert last["expiration_date"] == str(today)
    assert client.get("/api/v1/auth/me").status_code == 200
    past = api(admin).patch(url, {"expiration_date": str(today - timedelta(days=1))})
    assert past.json() == {"expiration_date": ["Expiration date cannot be in the past."]}
    User.objects.filter(pk=person.pk).update(expiration_date=today - timedelta(days=1))
    assert client.get("/api/v1/auth/me").status_code == 401
    sign_in = {"username": person.username, "password": "a good password"}
    assert api(None).post("/api/v1/users/token/", sign_in).status_code == 400
