"""OpenWISP's documented requests about locations, as printed, by curl.

Only the address, the ids, the token and the key are replaced.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from controller.accounts.models import Organization, User
from controller.accounts.rules import issue_token
from controller.devices.models import Device
from tests import factories
from tests.programs import works

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not works("curl", "--version"), reason="needs curl"),
]
FORM_TYPE = (
    "-H 'content-type: multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW'"
)
PUT_LOCATION = r"""curl -X PUT \
    http://127.0.0.1:8000/api/v1/controller/device/DEVICE/location/ \
    -H 'authorization: Bearer TOKEN' \
    -H 'content-type: application/json' \
    -d '"""


@pytest.fixture
def device(organization: Organization) -> Device:
    return factories.device(organization)


@pytest.fixture
def run(live_server: Any, tmp_path: Path, admin: User, device: Device) -> Any:
    (tmp_path / "floorplan.png").write_bytes(factories.png())
    words = {
        "http://127.0.0.1:8000": live_server.url,
        "DEVICE": str(device.pk),
        "TOKEN": issue_token(admin, name="curl"),
        "KEY": device.key,
        "ORGANIZATION": str(device.organization_id),
    }

    def run(command: str, **ids: Any) -> tuple[int, Any]:
        for name, value in (words | {name: str(one) for name, one in ids.items()}).items():
            command = command.replace(name, value)
        command = command.replace("curl ", "curl -s -w '\\n%{http_code}' ", 1)
        done = subprocess.run(
            ["sh", "-c", command], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        body, status = done.stdout.rsplit("\n", 1)
        return int(status), json.loads(body) if body else None

    return run


def test_a_device_is_placed_by_ids(run: Any, device: Device) -> None:
    location = factories.location(device.organization)
    plan = factories.floor_plan(location)
    status, body = run(
        PUT_LOCATION
        + """{
        "location": "LOCATION",
        "floorplan": "PLAN",
        "indoor": "-36,264"
        }'""",
        LOCATION=location.pk,
        PLAN=plan.pk,
    )
    assert status == 201, body
    assert body["indoor"] == "-36,264"


@pytest.mark.parametrize(
    "geometry",
    [
        """{
                    "type": "Point",
                    "coordinates": [12.512124, 41.898903]
                }""",
        '"POINT (12.512124 41.898903)"',
    ],
)
def test_a_location_is_made_with_it(run: Any, geometry: str) -> None:
    status, body = run(
        PUT_LOCATION
        + """{
            "location": {
                "name": "Via del Corso",
                "address": "Via del Corso, Roma, Italia",
                "geometry": GEOMETRY,
                "type": "outdoor"
            }
        }'""",
        GEOMETRY=geometry,
    )
    assert status == 201, body
    assert body["location"]["geometry"]["coordinates"] == [12.512124, 41.898903]


def test_location_and_floor_plan_are_made_with_it(run: Any) -> None:
    status, body = run(
        rf"""curl -X PUT \
    http://127.0.0.1:8000/api/v1/controller/device/DEVICE/location/ \
    -H 'authorization: Bearer TOKEN' \
    {FORM_TYPE} \
    -F 'location.name=Via del Corso' \
    -F 'location.address=Via del Corso, Roma, Italia' \
    -F location.geometry.type=Point \
    -F 'location.geometry.coordinates=[12.512124, 41.898903]' \
    -F location.type=indoor \
    -F floorplan.floor=1 \
    -F 'floorplan.image=@floorplan.png'"""
    )
    assert status == 201, body
    assert body["floorplan"]["name"] == "Via del Corso 1st Floor"


def test_a_floor_plan_of_a_known_location_is_made_with_it(run: Any, device: Device) -> None:
    status, body = run(
        rf"""curl -X PUT \
    http://127.0.0.1:8000/api/v1/controller/device/DEVICE/location/ \
    -H 'authorization: Bearer TOKEN' \
    {FORM_TYPE} \
    -F location=LOCATION \
    -F floorplan.floor=1 \
    -F 'floorplan.image=@floorplan.png'""",
        LOCATION=factories.location(device.organization).pk,
    )
    assert status == 201, body
    assert body["floorplan"]["floor"] == 1


def test_a_device_tells_its_coordinates(run: Any) -> None:
    status, body = run(
        r"""curl -X PUT \
    'http://127.0.0.1:8000/api/v1/controller/device/DEVICE/coordinates/?key=KEY' \
    -H 'content-type: application/json' \
    -d '{
            "type": "Feature",
            "geometry": {
                "type": "Point",
                "coordinates": [12.512124, 41.898903]
            },
        }'"""
    )
    assert status == 200, body
    status, again = run(
        r"""curl -X GET \
    'http://127.0.0.1:8000/api/v1/controller/device/DEVICE/coordinates/?key=KEY'"""
    )
    assert (status, again) == (200, body)


def test_a_location_is_made_with_its_floor_plan(run: Any) -> None:
    status, body = run(
        rf"""curl -X POST \
    http://127.0.0.1:8000/api/v1/controller/location/ \
    -H 'authorization: Bearer TOKEN' \
    {FORM_TYPE} \
    -F 'name=Via del Corso' \
    -F 'address=Via del Corso, Roma, Italia' \
    -F geometry.type=Point \
    -F 'geometry.coordinates=[12.512124, 41.898903]' \
    -F type=indoor \
    -F is_mobile=false \
    -F floorplan.floor=1 \
    -F 'floorplan.image=@floorplan.png' \
    -F organization=ORGANIZATION"""
    )
    assert status == 201, body
    assert [plan["floor"] for plan in body["floorplan"]] == [1]


@pytest.mark.parametrize(
    "place",
    [
        """"geometry.type": "Point",
    "geometry.location": [12.512124, 41.898903],""",
        """"geometry": "POINT (12.512124 41.898903)",""",
    ],
)
def test_a_location_written_as_flat_json_has_no_floor_plan(run: Any, place: str) -> None:
    status, body = run(
        f"""curl -X POST \\
    http://127.0.0.1:8000/api/v1/controller/location/ \\
    -H 'authorization: Bearer TOKEN' \\
    -H 'content-type: application/json' \\
    -d '{{
    "name": "Via del Corso",
    "address": "Via del Corso, Roma, Italia",
    {place}
    "type": "indoor",
    "is_mobile": "false",
    "floorplan.floor": "1",
    "floorplan.image": "floorplan.png",
    "organization": "ORGANIZATION"
}}'"""
    )
    assert status == 201, body
    assert (body["type"], body["floorplan"]) == ("indoor", [])
