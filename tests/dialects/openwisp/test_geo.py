"""Recorded OpenWISP exchanges about locations: same statuses and keys."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from tests import factories

ROOT = "/api/v1/controller"
GOLDEN = json.loads((Path(__file__).parent / "golden" / "geo" / "exchanges.json").read_text())
# Additional fields of Muster.
OURS = {"features[].properties.device_status", *(
    f"features[].properties.device_status.{state}" for state in ("online", "offline", "unknown")
)}  # fmt: skip
# It stands there only where the original looks up public addresses.
ESTIMATED = re.compile(r"(^|\.)is_estimated(\.|$)")


def keys(value: Any, prefix: str = "") -> set[str]:
    """Return all key paths of a JSON value."""
    if isinstance(value, list):
        return {path for one in value for path in keys(one, f"{prefix}[]")}
    if isinstance(value, dict):
        return {
            path
            for name, one in value.items()
            for path in ({f"{prefix}.{name}".lstrip(".")} | keys(one, f"{prefix}.{name}"))
        }
    return set()


def same(answer: Any, name: str) -> Any:
    recorded = GOLDEN[name]
    assert answer.status_code == recorded["status"], (name, answer.content)
    if recorded["body"] in ("", None):
        assert not answer.content
        return None
    body = answer.json()
    found = {path for path in keys(body) - OURS if not ESTIMATED.search(path)}
    assert found == {path for path in keys(recorded["body"]) if not ESTIMATED.search(path)}, (
        name
    )
    return body


@pytest.fixture
def client(api: Callable[[User | None], APIClient], admin: User) -> APIClient:
    return api(admin)


@pytest.fixture
def fleet(organization: Organization) -> dict[str, Any]:
    location = factories.location(organization, name="loc", address="Via X")
    plan = factories.floor_plan(location, 1)
    device = factories.device(organization, config={"backend": "netjsonconfig.OpenWrt"})
    return {"location": location, "plan": plan, "device": device, "organization": organization}


def body_of(name: str, **ids: Any) -> dict[str, Any]:
    """Return the recorded request body with the ids of our rows."""
    return GOLDEN[name]["request"]["body"] | ids


def test_locations(client: APIClient, organization: Organization) -> None:
    made = same(
        client.post(
            f"{ROOT}/location/", body_of("location_create", organization=str(organization.pk))
        ),
        "location_create",
    )
    url = f"{ROOT}/location/{made['id']}/"
    assert same(client.get(url), "location_detail") == made
    changed = same(client.patch(url, body_of("location_patch")), "location_patch")
    assert changed["address"] == "Via Y"
    whole = (
        made
        | GOLDEN["location_put"]["request"]["body"]
        | {"organization": str(organization.pk)}
    )
    replaced = same(client.put(url, whole), "location_put")
    assert replaced["name"] == "site-01999"
    factories.location(organization)
    same(client.get(f"{ROOT}/location/", {"page_size": 2}), "location_list")
    same(client.delete(url), "location_delete")


def test_empty_locations_are_refused(client: APIClient) -> None:
    name = "error_400_location_create_empty"
    assert same(client.post(f"{ROOT}/location/", {}), name) == GOLDEN[name]["body"]


def test_floor_plans(client: APIClient, organization: Organization) -> None:
    location = factories.location(organization, name="loc-224154")
    made = same(
        client.post(
            f"{ROOT}/floorplan/",
            body_of("floorplan_create", location=str(location.pk), image=factories.upload()),
            format="multipart",
        ),
        "floorplan_create",
    )
    assert made["name"] == "loc-224154 1st Floor"
    assert made["image"] == f"http://testserver/media/floorplans/{made['id']}.png"
    url = f"{ROOT}/floorplan/{made['id']}/"
    assert same(client.get(url), "floorplan_detail") == made
    assert same(client.get(f"{ROOT}/floorplan/"), "floorplan_list")["results"] == [made]
    assert same(client.patch(url, {"floor": 0}), "floorplan_patch")["name"].endswith(
        "0th Floor"
    )
    same(client.delete(url), "floorplan_delete")


def test_empty_floor_plans_are_refused(client: APIClient) -> None:
    name = "error_400_floorplan_create_empty"
    assert same(client.post(f"{ROOT}/floorplan/", {}), name) == GOLDEN[name]["body"]


def test_the_location_of_a_device(client: APIClient, fleet: dict[str, Any]) -> None:
    url = f"{ROOT}/device/{fleet['device'].pk}/location/"
    missing = same(client.get(url), "error_404_device_location")
    assert missing == GOLDEN["error_404_device_location"]["body"]
    made = same(
        client.put(
            url,
            body_of(
                "device_location_put_create",
                location=str(fleet["location"].pk),
                floorplan=str(fleet["plan"].pk),
            ),
        ),
        "device_location_put_create",
    )
    assert made["indoor"] == "-100.0,100.0"
    assert same(client.get(url), "device_location_detail") == made
    moved = same(client.patch(url, body_of("device_location_patch")), "device_location_patch")
    assert moved == made | {"indoor": "-50,50"}
    refused = same(client.patch(url, {"indoor": "foo"}), "error_400_device_location_bad_indoor")
    assert refused == {"indoor": ["invalid value"]}
    assert client.get(url).json() == moved
    same(client.delete(url), "device_location_delete")
    assert client.get(url).status_code == 404


def test_the_coordinates_of_a_device(
    client: APIClient, api: Callable[[None], APIClient], fleet: dict[str, Any]
) -> None:
    device = fleet["device"]
    nobody = api(None)
    factories.place_device(device, location=fleet["location"])
    url = f"{ROOT}/device/{device.pk}/coordinates/"
    with_key = f"{url}?key={device.key}"
    same(nobody.get(with_key), "device_coordinates_get")
    put = same(
        nobody.put(with_key, body_of("device_coordinates_put")), "device_coordinates_put"
    )
    assert put["geometry"]["coordinates"] == [12.51, 41.91]
    same(
        nobody.patch(with_key, body_of("device_coordinates_patch")), "device_coordinates_patch"
    )
    for name, answer in {
        "error_403_device_coordinates_no_key": nobody.get(url),
        "device_coordinates_put_nonmobile_401": nobody.put(url, {"geometry": None}),
    }.items():
        assert same(answer, name) == GOLDEN[name]["body"]
        assert answer["WWW-Authenticate"] == "Bearer"


def test_what_is_at_a_location(client: APIClient, fleet: dict[str, Any]) -> None:
    factories.place_device(
        fleet["device"], location=fleet["location"], floorplan=fleet["plan"], indoor="-50,50"
    )
    url = f"{ROOT}/location/{fleet['location'].pk}"
    listed = same(client.get(f"{url}/device/"), "location_device_list")
    assert listed["has_floorplan"] is True
    shown = same(client.get(f"{url}/indoor-coordinates/"), "location_indoor_coordinates")
    assert shown["results"][0]["coordinates"] == {"lat": -50.0, "lng": 50.0}
    assert shown["results"][0]["floor_name"] == "loc 1st floor"
    assert shown["floors"] == [1]


def test_the_map(client: APIClient, fleet: dict[str, Any]) -> None:
    factories.place_device(fleet["device"], location=fleet["location"])
    shown = same(client.get(f"{ROOT}/location/geojson/", {"page_size": 2}), "geojson")
    assert shown["features"][0]["properties"]["device_count"] == 1
    listed = client.get(f"{ROOT}/device/", {"with_geo": "true", "page_size": 1})
    same(listed, "device_list_with_geo")
    assert client.get(f"{ROOT}/device/", {"with_geo": "false"}).json()["count"] == 0


@pytest.mark.parametrize("name", ["location", "floorplan", "geojson"])
def test_options(client: APIClient, name: str) -> None:
    path = "location/geojson" if name == "geojson" else name
    body = same(client.options(f"{ROOT}/{path}/"), f"options_{name}")
    recorded = GOLDEN[f"options_{name}"]["body"].get("actions", {}).get("POST", {})
    for field, facts in recorded.items():
        for fact in ("type", "required", "read_only"):
            assert body["actions"]["POST"][field][fact] == facts[fact], (field, fact)


def test_geographic_settings(client: APIClient, organization: Organization) -> None:
    url = f"{ROOT}/organization/{organization.pk}/geo-settings/"
    same(client.get(url), "org_geo_settings_get")
    same(client.put(url, body_of("org_geo_settings_put")), "org_geo_settings_put")
    same(client.patch(url, body_of("org_geo_settings_patch")), "org_geo_settings_patch")
    refused = client.patch(url, {"estimated_location_enabled": True})
    assert refused.status_code == 400
    assert "estimated_location_enabled" in refused.json()
