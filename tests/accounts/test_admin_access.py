"""Admin pages of sites, grants, API keys, sessions and the second factor."""

import re
import time
from typing import Any

import pytest
from django.test import Client

from controller.accounts.engine import totp
from controller.accounts.models import ApiKey, Organization, Session, Site, SiteGrant, User
from controller.accounts.rules import mfa, sessions, sites
from controller.accounts.rules.api_keys import authenticate_key
from tests import factories

pytestmark = pytest.mark.django_db


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def manager(organization: Organization) -> User:
    return factories.user(organization, "org_admin", is_staff=True)


def grants(**more: Any) -> dict[str, Any]:
    return {"grants-TOTAL_FORMS": "0", "grants-INITIAL_FORMS": "0"} | more


def test_a_site_is_made_and_a_member_let_in(organization: Organization, manager: User) -> None:
    client = signed_in(manager)
    made = client.post(
        "/admin/accounts/site/add/",
        {"organization": str(organization.pk), "name": "Oslo", "slug": "oslo",
         "timezone": "UTC", "is_active": "on"},
    )  # fmt: skip
    assert made.status_code == 302, made.content.decode()[:3000]
    site = Site.objects.get()
    viewer = factories.user(organization, "viewer", username="vera")
    page = f"/admin/accounts/site/{site.pk}/change/"
    sent = {"name": "Oslo", "timezone": "UTC", "is_active": "on"} | grants(
        **{"grants-TOTAL_FORMS": "1", "grants-0-site": str(site.pk), "grants-0-person": "vera",
           "grants-0-level": "read"}
    )  # fmt: skip
    assert client.post(page, sent).status_code == 302
    row = SiteGrant.objects.get()
    assert (row.membership.user, row.level) == (viewer, "read")
    stranger = factories.user(factories.organization(), "viewer", username="stan")
    refused = client.post(page, sent | {"grants-0-person": stranger.username})
    assert "no such member" in refused.content.decode()
    gone = sent | {
        "grants-INITIAL_FORMS": "1",
        "grants-0-id": str(row.pk),
        "grants-0-DELETE": "on",
    }
    assert client.post(page, gone).status_code == 302
    assert not SiteGrant.objects.exists()


def test_who_manages_nobody_sees_no_grants(organization: Organization) -> None:
    site = sites.create_site(organization=organization, name="Oslo", slug="oslo")
    viewer = factories.user(organization, "viewer", is_staff=True)
    client = signed_in(viewer)
    page = f"/admin/accounts/site/{site.pk}/change/"
    assert client.get(page).status_code == 302, "without a grant there is no such site"
    sites.grant(viewer.memberships.get(), site, "read", by=factories.superuser())
    shown = client.get(page)
    assert shown.status_code == 200
    assert "-level" not in shown.content.decode()


def test_a_key_is_shown_once_and_is_as_narrow_as_asked(manager: User) -> None:
    client = signed_in(manager)
    sent = {
        "name": "script",
        "description": "",
        "scopes": "device:read",
        "expires_in_days": "30",
    }
    made = client.post("/admin/accounts/apikey/add/", sent)
    secret = re.search(r"mst_[0-9a-f]{64}", made.content.decode())
    assert secret, made.content.decode()[:2000]
    assert "no-store" in made["Cache-Control"]
    user = authenticate_key(secret[0])
    assert user == manager
    assert user.permissions == ["device:read"]
    key = ApiKey.objects.get()
    listed = client.get("/admin/accounts/apikey/").content.decode()
    assert key.prefix in listed
    assert secret[0] not in listed
    wrong = client.post("/admin/accounts/apikey/add/", sent | {"scopes": "device:fly"})
    assert "There is no permission device:fly" in wrong.content.decode()
    other = signed_in(factories.user(factories.organization(), "admin", is_staff=True))
    assert key.prefix not in other.get("/admin/accounts/apikey/").content.decode()
    client.post(f"/admin/accounts/apikey/{key.pk}/delete/", {"post": "yes"})
    assert not ApiKey.objects.exists()


def test_a_session_is_ended_and_stays_in_the_list(manager: User) -> None:
    tokens = sessions.open_session(manager, user_agent="curl")
    client = signed_in(manager)
    assert "curl" in client.get("/admin/accounts/session/").content.decode()
    client.post(f"/admin/accounts/session/{tokens.session.pk}/delete/", {"post": "yes"})
    ended = Session.objects.get(pk=tokens.session.pk)
    assert ended.revoked_because == "ended in the admin"
    assert sessions.authenticate_access_token(tokens.access) is None


def test_a_second_factor_is_set_up_with_a_qr_code_and_turned_off(manager: User) -> None:
    client, page = signed_in(manager), "/admin/accounts/user/second-factor/"
    wrong = client.post(page, {"do": "begin", "password": "wrong"}, follow=True)
    assert "Enter your present password" in wrong.content.decode()
    begun = client.post(page, {"do": "begin", "password": "a good password"}).content.decode()
    assert "data:image/svg+xml" in begun
    secret = re.search(r"<code>([A-Z2-7]{16,})</code>", begun)
    assert secret
    code = totp.code_at(secret[1], int(time.time()) // totp.STEP_SECONDS)
    client.post(page, {"do": "on", "code": code})
    assert mfa.is_enabled(manager)
    assert secret[1] not in client.get(page).content.decode(), "shown once"
    client.post(page, {"do": "off", "password": "a good password"})
    assert mfa.is_enabled(manager), "a password alone does not turn it off"
    backup = re.search(r"backup-codes\">([0-9a-f]+)", begun)
    assert backup
    client.post(page, {"do": "off", "password": "a good password", "code": backup[1]})
    assert not mfa.is_enabled(manager)
