"""Repeated reads of programs get the very answer that the views give, for each role and filter."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from controller.accounts.models import Membership, Organization, User
from controller.accounts.rules import authentication
from controller.configs.models import Config
from controller.devices.api.filters import DeviceFilter
from controller.devices.api.freesdn.filters import DeviceFilter as FreeSdnFilter
from controller.devices.models import Device
from geo.api.filters.locations import LocationFilter
from geo.models import DeviceLocation, Location
from tests import factories
from tests.demo_world import World, build

DEVICES, MAP, ITEMS = (
    "/api/v1/controller/device/",
    "/api/v1/controller/location/geojson/",
    "/api/v1/devices",
)
POLYGON = '{"type":"Polygon","coordinates":[[[-20,-20],[60,-20],[60,80],[-20,80],[-20,-20]]]}'
PLACES = {
    "in_bbox": "-20,-20,60,80", "in_polygon": POLYGON, "point": "10.75,59.91", "dist": "5",
}  # fmt: skip
OWNED = {
    "created": "2020-01-01T00:00:00Z",
    "created__gte": "2020-01-01",
    "created__lt": "2199-01-01",
}

# Answered by the view, whatever they ask for.
UNUSUAL = ("page=0", "page=last", "page=1000", "page_size=0", "page_size=1000", "per_page=x",
           "format=json", "cache=1", "created=yesterday", "status=x", "organization=1")  # fmt: skip


@pytest.fixture(autouse=True)
def _any_number_of_requests(settings: Any) -> None:
    settings.MUSTER_REQUESTS_PER_MINUTE = 0


def populate() -> World:
    world = build()
    owner, elsewhere = world.organization, Organization.objects.get(name="Elsewhere")
    group = factories.group(owner)
    factories.device(owner, name="no-site", group=group, config={})
    factories.device(owner, name="no-config", site=world.site, notes="ä")
    factories.device(elsewhere, name="elsewhere", config=None)
    factories.placed(factories.location(elsewhere, name="Elsewhere"), name="placed-elsewhere")
    factories.placed(Location.objects.get(organization=owner), name="placed")
    Config.objects.filter(device__name="no-site").update(status="error", error_reason="x")
    return world


def values_of(world: World) -> dict[str, dict[str, str]]:
    """Return a value for each filter of each list."""
    device = Device.objects.get(name="everything")
    place = DeviceLocation.objects.filter(device=device).get()
    owner = {"organization": str(world.organization.pk), "organization_slug": "everything"}
    return {
        DEVICES: OWNED | owner | PLACES | {
            "name": "no-", "mac_address": device.mac_address.lower()[:8],
            "group": str(Device.objects.get(name="no-site").group_id),
            "config__status": "error", "config__backend": "netjsonconfig.OpenWrt",
            "config__templates": str(world.rows["template"]), "config__drifted": "false",
            "with_geo": "true", "location": str(place.location_id),
            "geo_is_estimated": "false", "location__name": "e",
            "floorplan": str(world.rows["floorplan"]),
        },
        MAP: OWNED | owner | PLACES | {
            "name": "e", "type": "indoor", "is_mobile": "false", "is_estimated": "false",
            "organization_id": str(world.organization.pk),
        },
        ITEMS: {
            "site_id": str(world.site.pk), "organization": str(world.organization.pk),
            "device_type": "other", "status": "unknown", "is_active": "true", "search": "place",
        },
    }  # fmt: skip


def queries_of(values: dict[str, str]) -> Iterator[dict[str, str]]:
    yield {}
    yield from ({name: value} for name, value in values.items() if name != "dist")
    yield {name: values[name] for name in ("point", "dist") if name in values}
    yield from (dict(two) for two in pairwise(values.items()) if "dist" not in dict(two))
    yield from ({name: "no such"} for name in values)
    yield from ({"page_size": "2", "page": page} for page in ("1", "2", "3"))
    yield from ({"per_page": "2", "page": page} for page in ("1", "2", "9"))
    yield from (dict([one.split("=")]) for one in UNUSUAL)


def shown(response: Any) -> tuple[Any, ...]:
    headers = dict(response.items())
    # Its parts come in any order.
    headers["Content-Security-Policy"] = set(headers["Content-Security-Policy"].split("; "))
    return response.status_code, response.json(), headers


def both(path: str, query: dict[str, str], caller: dict[str, str]) -> bool:
    """Compare both ways. Returns whether the answer came without the view."""
    client = Client(headers={"x-request-id": "one"})
    # The view gives the answer to whoever accepts other types too.
    plain = client.get(path, query, **caller, HTTP_ACCEPT="application/json, */*")
    for _ in range(2):
        quick = client.get(path, query, **caller)
        assert shown(quick) == shown(plain), (path, query)
    return type(quick) is HttpResponse


@pytest.mark.django_db
def test_each_role_and_filter_gets_what_the_view_answers() -> None:
    world = populate()
    values = values_of(world)
    for path, filters in (
        (DEVICES, DeviceFilter),
        (MAP, LocationFilter),
        (ITEMS, FreeSdnFilter),
    ):
        assert values[path].keys() == filters.base_filters.keys()
        for number, (actor, caller) in enumerate(world.headers.items()):
            chosen = list(queries_of(values[path]))
            if actor != "super":
                # Each query is asked by some of the others too.
                chosen = chosen[number % 4 :: 4]
            quick = [both(path, query, caller) for query in chosen]
            if actor == "super":
                assert all(quick[: len(values[path])]), path


@pytest.mark.django_db
def test_each_role_sees_a_device_as_the_view_shows_it() -> None:
    world = populate()
    ids = [*map(str, Device.objects.values_list("pk", flat=True)), world.site.pk.hex]
    for actor, caller in world.headers.items():
        quick = [both(f"{DEVICES}{pk}/", {}, caller) for pk in ids]
        assert not both(f"{DEVICES}{ids[0]}/", {"force": "true"}, caller)
        if actor == "super":
            assert quick == [True] * (len(ids) - 1) + [False]


def listed(caller: dict[str, str], **query: str) -> Any:
    answer = Client().get(DEVICES, query, **caller)
    return answer.status_code, [one["name"] for one in answer.json().get("results", [])]


@pytest.mark.django_db
def test_what_a_user_may_see_changes_at_once(organization: Organization) -> None:
    user = factories.user(organization, "viewer")
    token = authentication.issue_token(user, name="program")
    caller = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    device = factories.device(organization, name="first")
    assert listed(caller) == (200, ["first"])
    Membership.objects.filter(user=user).delete()
    assert listed(caller)[0] == 403
    assert Client().get(f"{DEVICES}{device.pk}/", **caller).status_code == 403
    Membership.objects.create(user=user, organization=organization, role="operator")
    assert listed(caller) == (200, ["first"])
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert listed(caller)[0] == 401
    User.objects.filter(pk=user.pk).update(is_active=True)
    authentication.revoke_token(user.api_tokens.get())
    assert listed(caller)[0] == 401


@pytest.mark.django_db
def test_a_filter_by_a_row_that_was_deleted_is_refused(organization: Organization) -> None:
    user = factories.user(organization, "viewer")
    caller = {
        "HTTP_AUTHORIZATION": f"Bearer {authentication.issue_token(user, name='program')}"
    }
    group = factories.group(organization)
    for _ in range(2):
        assert listed(caller, group=str(group.pk)) == (200, [])
    group.delete()
    assert listed(caller, group=str(group.pk))[0] == 400


@pytest.mark.django_db
def test_what_is_written_is_read_at_once(organization: Organization) -> None:
    caller = {"HTTP_AUTHORIZATION": factories.bearer(factories.superuser())["Authorization"]}
    assert listed(caller, name="ne") == (200, [])
    device = factories.device(organization, name="new")
    assert listed(caller, name="ne") == (200, ["new"])
    device.delete()
    assert listed(caller, name="ne") == (200, [])
