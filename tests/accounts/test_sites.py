"""Sites and grants: none hides a site, read only reads, in every dialect."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from controller.accounts.engine.scopes import ROLES
from controller.accounts.models import Organization, Site, User
from controller.accounts.rules import sites
from controller.configs.models import Config
from controller.devices.models import Device, Presence
from tests import factories

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]
SITES = "/api/v1/sites/"
DEVICES = "/api/v1/devices/"
OPENWISP = "/api/v1/controller/device/"


@pytest.fixture
def site(organization: Organization) -> Site:
    return sites.create_site(organization=organization, name="Oslo", slug="oslo")


def granted(organization: Organization, site: Site, level: str, role: str = "operator") -> User:
    user = factories.user(organization, role)
    sites.grant(user.memberships.get(), site, level, by=factories.superuser())
    return user


def names(client: APIClient, url: str, key: str) -> set[str]:
    return {row["name"] for row in client.get(url).json()[key]}


def test_no_grant_is_no_site_and_no_device_of_it_in_any_dialect(
    api: Api, organization: Organization, site: Site
) -> None:
    inside = factories.device(organization, name="inside", site=site, config={})
    factories.device(organization, name="outside")
    for role in ("operator", "viewer"):
        client = api(factories.user(organization, role))
        assert client.get(SITES).json()["items"] == []
        assert client.get(f"{SITES}{site.pk}/").status_code == 404
        assert names(client, DEVICES, "items") == {"outside"}
        assert names(client, OPENWISP, "results") == {"outside"}
        for url in (f"{DEVICES}{inside.pk}/", f"{OPENWISP}{inside.pk}/"):
            assert client.get(url).status_code == 404
        assert client.get(f"{OPENWISP}{inside.pk}/connection/").status_code == 404
    bound = factories.user(organization, "site_admin")
    assert names(api(bound), DEVICES, "items") == set()
    # Rows of a device follow its site.
    viewer = User.objects.get(pk=factories.user(organization, "viewer").pk)
    assert not Config.objects.visible_to(viewer).exists()
    assert not Presence.objects.visible_to(viewer).filter(device=inside).exists()
    for role in ("admin", "org_admin"):
        assert names(api(factories.user(organization, role)), DEVICES, "items") == {
            "inside", "outside",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("level", "statuses"),
    [("read", (403, False)), ("write", (200, False)), ("full", (200, True))],
)
def test_a_grant_says_how_deep_in_every_dialect(
    api: Api, organization: Organization, site: Site, level: str, statuses: tuple[int, bool]
) -> None:
    inside = factories.device(organization, name="inside", site=site)
    client = api(granted(organization, site, level))
    assert names(client, SITES, "items") == {"Oslo"}
    assert names(client, f"{DEVICES}?site_id={site.pk}", "items") == {"inside"}
    changes, may_delete = statuses
    for url in (f"{DEVICES}{inside.pk}/", f"{OPENWISP}{inside.pk}/"):
        assert client.get(url).status_code == 200
        assert client.patch(url, {"notes": "x"}).status_code == changes
    # Deleting an active device fails for everybody, but with another status for permitted
    # users.
    answer = client.delete(f"{DEVICES}{inside.pk}/")
    assert answer.status_code == 403
    refused = answer.json()["error"]["message"]
    assert refused.startswith("Permission denied") is not may_delete


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("level", [None, "read", "write", "full"])
def test_a_device_is_shown_to_exactly_those_whose_list_has_it(
    api: Api, organization: Organization, site: Site, role: str, level: str | None
) -> None:
    # Lists check permissions in the database, detail pages on the loaded row.
    for place in (site, None):
        factories.device(organization, site=place)
        factories.device(factories.organization(), site=None)
    user = (
        granted(organization, site, level, role)
        if level
        else factories.user(organization, role)
    )
    client = api(user)
    listed = {row["id"] for row in client.get(OPENWISP).json()["results"]}
    shown = {
        str(pk)
        for pk in Device.objects.values_list("pk", flat=True)
        if client.get(f"{OPENWISP}{pk}/").status_code == 200
    }
    assert shown == listed


def test_a_grant_never_widens_a_role(api: Api, organization: Organization, site: Site) -> None:
    inside = factories.device(organization, site=site)
    client = api(granted(organization, site, "full", role="viewer"))
    assert client.get(f"{DEVICES}{inside.pk}/").status_code == 200
    assert client.patch(f"{DEVICES}{inside.pk}/", {"notes": "x"}).status_code == 403
    assert client.patch(f"{SITES}{site.pk}/", {"city": "x"}).status_code == 403


def test_a_device_is_moved_only_by_who_may_write_in_both_places(
    api: Api, organization: Organization, site: Site
) -> None:
    other = sites.create_site(organization=organization, name="Rome", slug="rome")
    inside = factories.device(organization, site=site)
    user = granted(organization, site, "write", role="site_admin")
    url = f"{DEVICES}{inside.pk}/"
    assert api(user).patch(url, {"site_id": str(other.pk)}).status_code == 422
    sites.grant(user.memberships.get(), other, "read", by=factories.superuser())
    assert api(user).patch(url, {"site_id": str(other.pk)}).status_code == 403
    assert api(user).patch(url, {"site_id": None}).status_code == 403
    sites.grant(user.memberships.get(), other, "write", by=factories.superuser())
    assert api(user).patch(url, {"site_id": str(other.pk)}).json()["site_id"] == str(other.pk)
    theirs = sites.create_site(organization=factories.organization(), name="X", slug="x")
    assert api(factories.superuser()).patch(url, {"site_id": str(theirs.pk)}).status_code == 422


def test_sites_are_made_changed_and_deleted_by_managers(
    api: Api, organization: Organization
) -> None:
    client = api(factories.user(organization, "org_admin"))
    made = client.post(
        SITES, {"name": "Oslo", "slug": "oslo", "subnets": [{"cidr": "10.0.0.0/8"}]}
    )
    assert made.status_code == 201, made.content
    assert made.json()["organization_id"] == str(organization.pk)
    assert (made.json()["device_count"], made.json()["online_device_count"]) == (0, 0)
    assert client.post(SITES, {"name": "Oslo", "slug": "oslo"}).status_code == 409
    assert client.post(SITES, {"name": "x", "slug": "No Spaces"}).status_code == 422
    for cidr in ("0.0.0.0/0", "224.0.0.0/4", "what", 7):
        bad = {"name": "x", "slug": "x", "subnets": [{"cidr": cidr}]}
        assert client.post(SITES, bad, format="json").status_code == 422, cidr
    url = f"{SITES}{made.json()['id']}/"
    assert client.patch(url, {"city": "Oslo", "slug": "new"}).json()["slug"] == "oslo"
    device = factories.device(organization, site=Site.objects.get())
    Presence.objects.filter(device=device).update(state="online")
    assert client.get(url).json()["online_device_count"] == 1
    assert client.delete(url).status_code == 409
    device.delete()
    assert client.delete(url).status_code == 204
    stranger = api(factories.user(factories.organization()))
    foreign = sites.create_site(organization=organization, name="A", slug="a")
    assert stranger.get(f"{SITES}{foreign.pk}/").status_code == 404
    assert stranger.patch(f"{SITES}{foreign.pk}/", {"city": "x"}).status_code == 404


def test_grants_are_given_and_taken_through_the_api(
    api: Api, organization: Organization, site: Site
) -> None:
    manager, member = factories.user(organization), factories.user(organization, "operator")
    url = f"{SITES}{site.pk}/grants/"
    given: dict[str, Any] = {"user_id": str(member.pk), "access_level": "write"}
    assert api(manager).put(url, given).json()["access_level"] == "write"
    assert [row["username"] for row in api(manager).get(url).json()] == [member.username]
    assert api(member).put(url, given | {"access_level": "full"}).status_code == 403
    stranger = factories.user(factories.organization(), "operator")
    assert api(manager).put(url, given | {"user_id": str(stranger.pk)}).status_code == 404
    assert api(manager).delete(f"{url}{member.pk}/").status_code == 204
    assert api(User.objects.get(pk=member.pk)).get(SITES).json()["items"] == []


def test_pages_hold_items_total_page_per_page_and_pages(
    api: Api, admin: User, organization: Organization
) -> None:
    for number in range(5):
        factories.device(organization, name=f"device-{number}")
    client = api(admin)
    page = client.get(f"{DEVICES}?page=2&per_page=2").json()
    assert [row["name"] for row in page.pop("items")] == ["device-2", "device-3"]
    assert page == {"total": 5, "page": 2, "per_page": 2, "pages": 3}
    assert client.get(f"{DEVICES}?page=9").json()["items"] == []
    assert names(client, f"{DEVICES}?search=DEVICE-3", "items") == {"device-3"}
    assert client.get(f"{DEVICES}stats/summary").json()["total"] == 5
    for wrong in ("page=0", "page=x", "per_page=501", "per_page=-1", "page=" + "9" * 40):
        answer = client.get(f"{DEVICES}?{wrong}")
        assert answer.status_code == 422, wrong
        assert answer.json()["error"]["details"][0]["field"] == f"query.{wrong.split('=')[0]}"
    assert client.get(f"{DEVICES}?site_id=x").status_code == 422
