"""Single sign-on with an OpenID Connect provider that speaks the real protocol."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from controller.accounts.models import AuditEntry, Organization, Session, User
from controller.environment import single_sign_on
from tests import factories
from tests.fleet.oidc import CLIENT_ID, CLIENT_SECRET, Provider

pytestmark = pytest.mark.django_db
START = "/api/v1/auth/oidc/login"
ALICE = {
    "sub": "subject-1", "email": "alice@example.com", "email_verified": True,
    "preferred_username": "alice", "given_name": "Alice", "family_name": "Ames",
}  # fmt: skip


@pytest.fixture
def provider(settings: Any, monkeypatch: Any) -> Iterator[Provider]:
    with Provider() as made:
        monkeypatch.setenv("MUSTER_OIDC_CLIENT_ID", CLIENT_ID)
        monkeypatch.setenv("MUSTER_OIDC_CLIENT_SECRET", CLIENT_SECRET)
        settings.MUSTER_OIDC_URL = made.url
        settings.SOCIALACCOUNT_PROVIDERS = single_sign_on(made.url, "Acme")
        made.person = dict(ALICE)
        yield made


@pytest.fixture
def alice(organization: Organization) -> User:
    return factories.user(organization, "operator", username="alice", email="Alice@example.com")


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def come_back(client: Any, to: str = "api") -> Any:
    """Follow the redirects to the provider and back. Returns the portal's response."""
    start = client.get(START, {"to": to})
    assert start.status_code == 302, start.content
    back = httpx.get(start["Location"]).headers["location"]
    answer = client.get(path_of(back), HTTP_REFERER=urlsplit(start["Location"]).netloc)
    return client.get(path_of(answer["Location"])) if answer.status_code == 302 else answer


def test_a_program_gets_tokens_as_from_a_sign_in(
    client: Client, provider: Provider, alice: User
) -> None:
    answer = come_back(client)
    assert answer.status_code == 200
    token = answer.json()["access_token"]
    assert {"access_token", "refresh_token", "token_type", "expires_in"} <= answer.json().keys()
    assert {"freesdn_access", "freesdn_refresh", "freesdn_csrf"} <= answer.cookies.keys()
    me = Client().get("/api/v1/auth/me", HTTP_AUTHORIZATION=f"Bearer {token}").json()
    assert me["username"] == "alice"
    assert Session.objects.get().user == alice
    assert AuditEntry.objects.filter(action="sign_in", actor="alice").exists()
    assert client.get("/api/v1/auth/oidc/done").status_code == 401, "good once"


def test_a_person_gets_into_the_admin(client: Client, provider: Provider, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    answer = come_back(client, "admin")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert client.get("/admin/").status_code == 200


def test_the_subject_counts_from_the_second_time_on(
    client: Client, provider: Provider, alice: User
) -> None:
    come_back(client)
    provider.person |= {"email": "married@example.com"}
    assert come_back(Client()).status_code == 200
    assert SocialAccount.objects.get().user == alice
    provider.person = ALICE | {"sub": "somebody-else", "email_verified": False}
    refused = come_back(Client())
    assert refused.status_code == 403
    assert "verified" in refused.json()["error"]["message"]
    assert AuditEntry.objects.filter(action="sign_in", outcome="refused").exists()


def test_an_account_that_only_claims_the_address_is_not_entered(
    client: Client, provider: Provider, alice: User, settings: Any
) -> None:
    settings.MUSTER_OIDC_CREATES_USERS = True
    EmailAddress.objects.filter(user=alice).update(verified=False)
    refused = come_back(client)
    assert refused.status_code == 403
    assert "has not proved it" in refused.json()["error"]["message"]
    assert not SocialAccount.objects.exists()


def test_strangers_get_an_account_only_where_the_portal_says_so(
    client: Client, provider: Provider, db: Any, settings: Any
) -> None:
    assert come_back(client).status_code == 403
    assert not User.objects.exists()
    settings.MUSTER_OIDC_CREATES_USERS = True
    factories.user(username="alice")
    assert come_back(client).status_code == 200
    made = User.objects.get(email="alice@example.com")
    assert made.username.startswith("alice-")
    assert (made.first_name, made.permissions, made.has_usable_password()) == (
        "Alice",
        [],
        False,
    )


def test_who_may_not_sign_in_here_may_not_by_the_provider_either(
    client: Client, provider: Provider, alice: User
) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert come_back(client).status_code == 403


def test_a_refusal_and_a_forged_return_are_401(
    client: Client, provider: Provider, alice: User
) -> None:
    provider.denies = True
    assert come_back(client).status_code == 401
    provider.denies = False
    back = httpx.get(client.get(START)["Location"]).headers["location"]
    stranger = Client().get(path_of(back))
    assert stranger.status_code == 401, "the state is of another browser"
    query = parse_qs(urlsplit(back).query)
    forged = client.get(
        urlsplit(back).path, {"state": query["state"][0], "code": "not-the-code"}
    )
    assert forged.status_code == 401
    assert client.get("/api/v1/auth/oidc/other/callback").status_code == 404


def test_a_provider_that_is_away_is_a_502(client: Client, provider: Provider) -> None:
    provider.server.shutdown()
    provider.server.server_close()
    assert client.get(START).status_code == 502


def test_without_a_provider_there_is_nothing(client: Client) -> None:
    answer = client.get(START)
    assert answer.status_code == 404
    assert "MUSTER_OIDC_URL" in answer.json()["error"]["message"]
    assert client.get("/api/v1/auth/saml/login").status_code == 501
