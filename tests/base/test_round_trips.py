"""What the portal exports, it imports, unchanged."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from controller.accounts.models import Organization
from geo.models import FloorPlan, Location
from geo.rules import geometry
from networks.ipam.models import IpAddress, Subnet
from networks.ipam.rules.addresses import create_subnet
from networks.ipam.rules.csv import as_csv, import_csv
from pki.models import Ca, Cert, Issued, RevocationList
from tests import factories
from tests.devices.test_exchange import CSV, LOCATIONS, XLSX, confirmed, previewed, signed_in

pytestmark = pytest.mark.django_db
EXAMPLES = bounds(
    max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
# What databases and spreadsheets can hold at all.
TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co"), exclude_characters="\ufeff"),
    max_size=30,
).map(str.strip)
LONGITUDE = st.floats(-179.9, 179.9).map(lambda one: round(one, 6))
EAST = st.floats(0.1, 179.9).map(lambda one: round(one, 6))
LATITUDE = st.floats(-89.9, 89.9).map(lambda one: round(one, 6))
SQUARE = {
    "type": "Polygon",
    "coordinates": [[[10.0, 50.0], [10.0, 51.0], [11.5, 51.0], [11.5, 50.0], [10.0, 50.0]]],
}


def stored(model: Any, *names: str) -> list[tuple[Any, ...]]:
    return sorted(model.objects.values_list(*names))


@pytest.mark.parametrize("kind", [CSV, XLSX])
def test_locations_go_out_and_come_in_as_they_were(
    kind: str, organization: Organization
) -> None:
    client = signed_in(organization)
    texts = ["=1+1", "-12", "Straße 1; 2. Stock", "'quoted", 'a "b", c', "two\nlines", "007"]
    for number, text in enumerate(texts):
        at = (10.000001 + number, -45.123456)
        factories.location(organization, address=text, at=at, is_mobile=bool(number % 2))
    area = factories.location(organization, name="An area")
    Location.objects.filter(pk=area.pk).update(geometry=geometry.read(SQUARE))
    names = ("id", "name", "address", "type", "is_mobile", "geometry")
    before = stored(Location, *names)
    out = client.post(f"{LOCATIONS}export/", {"format": kind, "resource": ""})
    again = previewed(client, LOCATIONS, out.content)

    assert set(again.found["counts"]) <= {"skip"}, again.found
    Location.objects.update(address="lost")
    confirmed(client, LOCATIONS, previewed(client, LOCATIONS, out.content))
    assert stored(Location, *names) == before


@EXAMPLES
@given(texts=st.lists(TEXT, min_size=1, max_size=8))
def test_addresses_of_a_subnet_go_out_and_come_in(texts: list[str], db: Any) -> None:
    owner = factories.organization()
    subnet = create_subnet(name="Net", subnet="10.77.0.0/24", organization=owner)
    for number, text in enumerate(texts):
        IpAddress.objects.create(
            subnet=subnet, ip_address=f"10.77.0.{number + 1}", description=text[:100]
        )
    rows = subnet.addresses.order_by("ip_address")
    before = list(rows.values_list("ip_address", "description"))
    out = as_csv(Subnet.objects.get(pk=subnet.pk))
    subnet.addresses.all().delete()
    import_csv(out)
    assert list(rows.values_list("ip_address", "description")) == before
    subnet.delete()


SHAPES = st.one_of(
    st.tuples(LONGITUDE, LATITUDE).map(lambda at: {"type": "Point", "coordinates": list(at)}),
    # A line that goes half around the earth is refused.
    st.lists(st.tuples(EAST, LATITUDE), min_size=2, max_size=6, unique=True).map(
        lambda line: {"type": "LineString", "coordinates": [list(at) for at in line]}
    ),
    st.tuples(st.floats(-170, 160), st.floats(-80, 70), st.floats(0.1, 9)).map(
        lambda box: {"type": "Polygon", "coordinates": [rectangle(*box)]}
    ),
)


def rectangle(x: float, y: float, size: float) -> list[list[float]]:
    return [[x, y], [x, y + size], [x + size, y + size], [x + size, y], [x, y]]


@EXAMPLES
@given(shape=SHAPES)
def test_shapes_go_out_and_come_in(shape: dict[str, Any]) -> None:
    told = geometry.as_geojson(geometry.read(shape))
    assert told == geometry.as_geojson(geometry.read(json.loads(json.dumps(told))))
    assert geometry.read(told).equals_exact(geometry.read(shape), 1e-9)


def test_what_the_map_tells_of_a_location_is_what_makes_it(api: Any) -> None:
    organization = factories.organization()
    owner = api(factories.user(organization))
    place = factories.location(organization, name="Area")
    factories.placed(place)
    path = f"/api/v1/controller/location/{place.pk}/"
    owner.patch(path, {"geometry": SQUARE}, format="json")
    (feature,) = owner.get("/api/v1/controller/location/geojson/").json()["features"]
    told = owner.get(path).json()
    assert feature["geometry"] == told["geometry"] == SQUARE
    assert owner.put(path, told, format="json").json()["geometry"] == SQUARE
    place.refresh_from_db()
    assert owner.get(path).json() | {"modified": ""} == (told | {"modified": ""})


def test_a_floor_plan_goes_out_and_comes_in_byte_for_byte() -> None:
    organization = factories.organization()
    place = factories.location(organization)
    plan = factories.floor_plan(place)
    data = bytes(plan.image.data)
    again = factories.floor_plan(place, floor=1, image=SimpleUploadedFile("plan.png", data))
    assert bytes(FloorPlan.objects.get(pk=again.pk).image.data) == data


KEPT = (
    "certificate", "private_key", "serial_number", "common_name", "key_length",
    "validity_start", "validity_end",
)  # fmt: skip


@pytest.mark.parametrize("length", ["256", "2048", "ed25519"])
def test_authorities_and_certificates_go_out_and_come_in(api: Any, length: str) -> None:
    organization = factories.organization()
    owner = api(factories.superuser())
    ca = factories.ca(organization, key_length=length)
    cert = factories.cert(
        ca, key_length=length,
        extensions=[{"name": "subjectAltName", "value": "DNS:vpn.example.org", "critical": False}],
    )  # fmt: skip
    told = {
        kind: owner.get(f"/api/v1/controller/{kind}/{row.pk}/").data
        for kind, row in (("ca", ca), ("cert", cert))
    }
    # Into a portal that has neither.
    for model in (Issued, Cert, RevocationList, Ca):
        model.objects.all().delete()
    above: dict[str, Any] = {}
    for kind, row in told.items():
        sent = {"name": "again", "organization": str(organization.pk), **above}
        sent |= {n: row[n] for n in ("certificate", "private_key")}
        made = owner.post(f"/api/v1/controller/{kind}/", sent, format="json")
        assert made.status_code == 201, made.data
        assert [made.data[n] for n in KEPT] == [row[n] for n in KEPT]
        above = {"ca": made.data["id"]}


ROWS: dict[str, Callable[[Organization], Any]] = {
    "device": lambda owner: factories.device(
        owner,
        config={"backend": "netjsonconfig.OpenWrt", "config": factories.a_file("x\n")},
    ),
    "template": factories.template,
    "vpn": factories.openvpn,
    "group": factories.group,
    "credential": factories.credentials,
    "location": factories.location,
}


@pytest.mark.parametrize("kind", ROWS)
def test_what_the_api_tells_of_a_row_is_taken_back_and_changes_nothing(
    kind: str, api: Any
) -> None:
    owner, row = api(factories.superuser()), ROWS[kind](factories.organization())
    path = f"/api/v1/controller/{kind}/{row.pk}/"
    told = owner.get(path).json()
    answer = owner.put(path, told, format="json")
    assert answer.status_code == 200, answer.data
    again = owner.get(path).json()
    assert again | {"modified": ""} == told | {"modified": ""}
