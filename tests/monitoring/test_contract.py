"""Every reading operation of the contract of OpenWISP Monitoring, key by key and type by type."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.utils.dateparse import parse_datetime
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.devices.models import Device
from controller.monitoring.models import MonitoredDevice, WifiSession
from controller.monitoring.rules.reports import Posted, receive
from geo.rules.device_locations import place_device
from tests import factories
from tests.monitoring.test_engine_reports import payload

pytestmark = pytest.mark.django_db
FILE = Path(__file__).parents[1] / "contract" / "monitoring.json"
CONTRACT: list[dict[str, Any]] = json.loads(FILE.read_text())
READS = {one["path"]: one for one in CONTRACT if one["method"] == "GET"}
NOON = int(datetime(2025, 11, 30, 12, tzinfo=UTC).timestamp())
# Keys which the portal has beside those of the contract.
OURS: Mapping[str, set[str]] = {}
# Keys that the contract has where something is enabled, or under a condition that is not met here.
SOMETIMES = {"is_estimated"}
LOOKS: Mapping[str, Any] = {
    "uuid": lambda one: bool(UUID(one)),
    "string": lambda one: isinstance(one, str),
    "url": lambda one: one.startswith(("http://", "https://")),
    "int": lambda one: isinstance(one, int) and not isinstance(one, bool),
    "bool": lambda one: isinstance(one, bool),
    "float": lambda one: isinstance(one, float),
    "datetime": lambda one: parse_datetime(one) is not None,
    "null": lambda one: one is None,
}


@pytest.fixture
def places(organization: Organization, time_machine: Any) -> dict[str, Any]:
    """Make a device that has all of it: reports, a place on a plan, a neighbor, a client."""
    time_machine.move_to(NOON + 60)
    location = factories.location(organization, type="indoor")
    plan = factories.floor_plan(location)
    device = factories.device(organization, name="edge-1", group=factories.group(organization))
    place_device(device, location=location, floorplan=plan, indoor="1,2")
    other = factories.device(organization, name="edge-2")
    place_device(other, location=factories.location(organization, at=(9, 40)))
    for one in (device, other):
        for at in (NOON - 300, NOON):
            body = payload("1_small_ap")
            body["general"]["uptime"] += at - NOON
            receive([Posted(one.pk, one.key, json.dumps(body).encode(), at)])
    assert MonitoredDevice.objects.count() == 2
    assert WifiSession.objects.exists()
    return {"device": device, "location": location, "plan": plan}


def path_of(template: str, places: Mapping[str, Any]) -> str:
    if "wifi-session/{pk}" in template:
        return template.replace("{pk}", str(WifiSession.objects.order_by("pk")[0].pk))
    kind = "location" if "/location/" in template else "device"
    return template.replace("{pk}", str(places[kind].pk))


def parts_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contract's fields as nested objects; a list is a list of one."""
    found: dict[str, Any] = {}
    for name, shape in fields.items():
        if "[]." in name:
            owner, key = name.split("[].")
            found.setdefault(owner, [{}])[0][key] = shape
        elif name.endswith("[]"):
            found[name[:-2]] = [parts_of(shape)]
        else:
            found[name] = parts_of(shape) if isinstance(shape, dict) else shape
    return found


def differences(at: str, wanted: Any, found: Any) -> Iterator[str]:
    """Yield each key that lacks or is unknown, and each value of another type."""
    if isinstance(wanted, list):
        assert found, f"{at} is empty: nothing is compared"
        for one in found:
            yield from differences(f"{at}[]", wanted[0], one)
    elif isinstance(wanted, dict):
        optional = {
            key for key, shape in wanted.items() if re.search("where set|absent", str(shape))
        }
        for key in wanted.keys() - found.keys() - optional - SOMETIMES:
            yield f"{at}.{key} lacks"
        for key in found.keys() - wanted.keys() - OURS.get(at, set()):
            yield f"{at}.{key} is unknown"
        for key in wanted.keys() & found.keys():
            yield from differences(f"{at}.{key}", wanted[key], found[key])
    elif not fits(str(wanted), found):
        yield f"{at} is {found!r}, not {wanted}"


def fits(shape: str, value: Any) -> bool:
    words = shape.partition(",")[0].split("|")
    return not LOOKS.keys() >= set(words) or any(looks_like(word, value) for word in words)


def looks_like(word: str, value: Any) -> bool:
    try:
        return bool(LOOKS[word](value))
    except (AttributeError, TypeError, ValueError):
        return False


@pytest.mark.parametrize("path", READS)
def test_an_answer_has_the_keys_and_types_of_the_contract(
    path: str, places: dict[str, Any], admin: User, api: Any
) -> None:
    query = "?status=1&time=1d" if path.endswith(("device/{pk}/", "dashboard/")) else ""
    reader: APIClient = api(admin)
    factories.organization()  # the dashboard names them where there are several
    answer = reader.get(path_of(path, places) + query)
    assert answer.status_code == 200, answer.content
    wanted = parts_of(READS[path]["response_fields"])
    if "" in wanted:  # one of the results of a list
        wanted = parts_of(READS[path.replace("{pk}/", "")]["response_fields"])["results"][0]
    assert sorted(set(differences("", wanted, answer.json()))) == []


@pytest.mark.parametrize("path", READS)
def test_each_parameter_of_the_contract_is_taken(
    path: str, places: dict[str, Any], admin: User, api: Any
) -> None:
    device: Device = places["device"]
    values = {
        "key": device.key, "organization": device.organization_id, "floor": 0,
        "organization_slug": device.organization.slug, "model": "TP-Link|Other",
        "device": device.pk, "device__organization": device.organization_id,
        "device__group": device.group_id, "distance__lte": 10_000_000, "type": "indoor",
        "monitoring__status": "ok", "status": "ok", "search": "edge", "time": "30d",
        "start": "2025-11-01 00:00:00", "end": "2025-11-02 00:00:00", "timezone": "Europe/Rome",
        "location_id": places["location"].pk, "is_mobile": "false", "is_estimated": "false",
        "floorplan_id": places["plan"].pk,
        "stop_time__isnull": "true", "is_healthy": "true", "page": 1, "page_size": 5, "csv": "1",
    }  # fmt: skip
    reader: APIClient = api(admin)
    for name in READS[path]["query_params"]:
        value = values.get(name, "2025-11-30T12:00:00Z" if "_time" in name else None)
        assert value is not None, f"{name} has no value in this test"
        answer = reader.get(path_of(path, places), {name: str(value)})
        assert answer.status_code == 200, (name, answer.content)


@pytest.mark.parametrize("path", READS)
def test_who_is_nobody_and_who_is_a_stranger_are_told_so(
    path: str, places: dict[str, Any], api: Any
) -> None:
    assert api(None).get(path_of(path, places)).status_code == 401
    stranger = api(factories.user(factories.organization(), "org_admin"))
    answer = stranger.get(path_of(path, places))
    if "{pk}" in path:
        assert answer.status_code == 404
    else:
        found = answer.json()
        assert answer.status_code == 200
        assert not found.get("count")
        assert not found.get("charts")
