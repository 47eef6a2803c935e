"""A person is invited with account, role, sites, sign-in and key in one form."""

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from controller.accounts.models import ApiKey, Invitation, Organization, Site, User
from controller.accounts.rules import sites, user_onboarding
from controller.accounts.rules.api_keys import create_key_for
from controller.base.errors import NotPermitted
from tests import factories

pytestmark = pytest.mark.django_db
PAGE = "/admin/accounts/user/invite/"
RITA = "rita.santos@example.net"


@pytest.fixture
def rossio(organization: Organization) -> Site:
    sites.create_site(organization=organization, name="Porto", slug="porto")
    return sites.create_site(organization=organization, name="Rossio", slug="rossio")


def filled(organization: Organization, *places: Site, **more: str) -> dict[str, Any]:
    return {
        "email": RITA, "full_name": "Rita Santos", "organization": str(organization.pk),
        "role": "viewer", "level": "read", "sites": [str(one.pk) for one in places],
        "signs_in": "on", "expires_in_days": "90",
    } | more  # fmt: skip


def chosen_password(client: Client, link: str) -> None:
    page = link[link.index("/admin/") :]
    assert 'name="new_password1"' in client.get(page).content.decode()
    form = {"new_password1": "a rather good one", "new_password2": "a rather good one"}
    assert client.post(page, form).status_code == 302
    assert "invalid or has been used" in client.get(page).content.decode()


def test_a_read_only_person_for_one_site_with_a_key(
    client: Client, admin: User, organization: Organization, rossio: Site
) -> None:
    for site in Site.objects.all():
        factories.device(organization, name=f"at-{site.slug}", site=site)
    client.force_login(admin)
    page = client.post(PAGE, filled(organization, rossio, has_key="on"))
    invited = page.context["invited"]
    assert "no-store" in page["Cache-Control"]
    assert page.content.decode().count(invited.key) == 1

    headers = {"HTTP_X_API_KEY": invited.key}
    found = Client().get("/api/v1/controller/device/", **headers).json()["results"]
    assert [one["name"] for one in found] == ["at-rossio"]
    gone = Client().delete(f"/api/v1/controller/device/{found[0]['id']}/", **headers)
    assert gone.status_code == 403

    other = Client()
    chosen_password(other, invited.link)
    sign_in = {"username": "rita.santos", "password": "a rather good one"}
    assert other.post("/admin/login/?next=/admin/", sign_in).status_code == 302
    shown = other.get("/admin/devices/device/").content.decode()
    assert ("at-rossio" in shown, "at-porto" in shown) == (True, False)


def test_no_chosen_site_means_all_present_sites(
    client: Client, admin: User, organization: Organization, rossio: Site
) -> None:
    client.force_login(admin)
    client.post(PAGE, filled(organization))
    member = User.objects.get(email=RITA).memberships.get()
    assert member.grants.count() == 2


def test_the_link_is_mailed_where_mail_is_set_up(
    client: Client, admin: User, organization: Organization, settings: Any,
    django_capture_on_commit_callbacks: Any,
) -> None:  # fmt: skip
    settings.MUSTER_NOTIFY_BY_EMAIL = True
    client.force_login(admin)
    shown = client.post(PAGE, filled(organization)).content.decode()
    assert "/admin/reset/" not in shown
    user = User.objects.get(email=RITA)
    assert user_onboarding.mail_welcome(str(user.pk), str(organization.pk), str(admin.pk))
    assert mail.outbox[-1].to == [RITA]
    link = re.search(r"\S*/admin/reset/\S+", str(mail.outbox[-1].body))
    assert link
    chosen_password(client, link[0])
    assert not user_onboarding.mail_welcome(str(user.pk), str(organization.pk), str(admin.pk))


def test_a_known_address_is_invited_and_gets_nothing_before_it_accepts(
    client: Client, admin: User, organization: Organization, rossio: Site
) -> None:
    known = factories.user(factories.organization("Other"), "viewer", email=RITA)
    client.force_login(admin)
    page = client.post(PAGE, filled(organization, rossio))
    assert page.context["invited"].user is None
    assert Invitation.objects.get().place == rossio
    assert not known.memberships.filter(organization=organization).exists()
    page = client.post(PAGE, filled(organization, rossio, has_key="on"))
    assert "creates their own API keys" in page.content.decode()
    page = client.post(PAGE, filled(organization, *Site.objects.all()))
    assert "Invite them to one site" in page.content.decode()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"email": "no address"}, "valid email"),
        ({"signs_in": ""}, "Choose a sign-in, an API key, or both"),
        ({"role": "emperor"}, "Select a valid choice"),
    ],
)
def test_a_refused_invitation_says_why_and_creates_nobody(
    client: Client, admin: User, organization: Organization, changed: dict[str, str], told: str
) -> None:
    client.force_login(admin)
    page = client.post(PAGE, filled(organization, **changed))
    assert told in page.content.decode()
    assert User.objects.count() == 1


def test_nobody_invites_above_their_role_or_elsewhere(
    client: Client, organization: Organization, rossio: Site
) -> None:
    for role, status in (("viewer", 403), ("operator", 403), ("org_admin", 200)):
        client.force_login(factories.user(organization, role, is_staff=True))
        assert client.get(PAGE).status_code == status, role
    other = sites.create_site(
        organization=factories.organization("Else"), name="Else", slug="else"
    )
    for sent in (
        filled(organization, role="admin"),
        filled(other.organization),
        filled(organization, other),
    ):
        assert "invited" not in client.post(PAGE, sent).context
    assert not User.objects.filter(email=RITA).exists()
    assert client.post(PAGE, filled(organization, rossio)).context["invited"].user


def test_keys_of_people_who_have_signed_in_are_their_own(
    admin: User, organization: Organization
) -> None:
    with pytest.raises(NotPermitted):
        create_key_for(factories.user(organization, "viewer"), by=admin, name="mine")
    assert not ApiKey.objects.exists()
