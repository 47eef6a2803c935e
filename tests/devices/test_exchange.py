"""CSV import and export in the admin: preview, then write by the rules."""

import csv
import io
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from openpyxl import Workbook, load_workbook

from controller.accounts.models import Organization, User
from controller.devices.models import Device
from geo.models import Location
from tests import factories

pytestmark = pytest.mark.django_db
DEVICES = "/admin/devices/device/"
LOCATIONS = "/admin/geo/location/"
CSV, XLSX = "0", "1"


def signed_in(organization: Organization, role: str = "org_admin") -> Client:
    client = Client()
    client.force_login(factories.user(organization, role, is_staff=True))
    return client


def upload(client: Client, url: str, data: bytes, kind: str = CSV) -> Any:
    file = SimpleUploadedFile("table.csv" if kind == CSV else "table.xlsx", data)
    return client.post(f"{url}import/", {"import_file": file, "format": kind, "resource": ""})


def confirmed(client: Client, url: str, preview: Any) -> Any:
    form = preview.context["confirm_form"]
    return client.post(f"{url}process_import/", form.initial, follow=True)


def test_devices_are_shown_first_and_made_when_that_is_confirmed(
    organization: Organization,
) -> None:
    factories.group(organization, name="Floor 1")
    factories.location(organization, name="Quay")
    client = signed_in(organization)
    data = (
        "name,mac_address,organization,group,backend,location,management_ip\n"
        f"ap-1,02:00:00:00:00:01,{organization.slug},Floor 1,netjsonconfig.OpenWrt,Quay,10.0.0.1\n"
        f"ap-2,02:00:00:00:00:02,{organization.slug},,,,\n"
    ).encode()
    preview = upload(client, DEVICES, data)
    assert preview.status_code == 200
    assert not Device.objects.exists()
    assert "ap-1" in preview.content.decode()
    confirmed(client, DEVICES, preview)
    one, two = Device.objects.order_by("name")
    assert (str(one.group), one.management_ip, one.place.location.name) == (
        "Floor 1", "10.0.0.1", "Quay",
    )  # fmt: skip
    assert one.config.desired is not None
    assert one.key
    assert (two.group, two.hardware_id, hasattr(two, "config")) == (None, None, False)


def test_every_bad_line_is_told_with_its_reason(organization: Organization) -> None:
    foreign = factories.organization()
    client = signed_in(organization)
    data = (
        "name,mac_address,organization,group\n"
        f"ap-1,nonsense,{organization.slug},\n"
        f"ap-2,02:00:00:00:00:02,{foreign.slug},\n"
        f"ap-3,02:00:00:00:00:03,{organization.slug},Nowhere\n"
        f"ap-4,02:00:00:00:00:04,{organization.slug},\n"
    ).encode()
    preview = upload(client, DEVICES, data)
    rows = preview.context["result"].invalid_rows
    assert [row.number for row in rows] == [1, 2, 3]
    told = preview.content.decode()
    for words in (
        "Must be a valid mac address",
        "There is no organization",
        "There is no device group",
    ):
        assert words in told
    assert "confirm_form" not in preview.context
    assert not Device.objects.exists()


def test_a_line_changes_the_device_that_it_is_of(organization: Organization) -> None:
    device = factories.device(
        organization, name="old", notes="kept", mac_address="02:00:00:00:00:0A"
    )
    client = signed_in(organization)
    data = (
        f"name,mac_address,organization\nnew,02:00:00:00:00:0a,{organization.slug}\n".encode()
    )
    confirmed(client, DEVICES, upload(client, DEVICES, data))
    again = Device.objects.get()
    assert (again.pk, again.name, again.notes) == (device.pk, "new", "kept")


def test_a_viewer_exports_and_cannot_import(organization: Organization) -> None:
    client = signed_in(organization, "viewer")
    assert client.get(f"{DEVICES}import/").status_code == 403
    assert client.get(f"{DEVICES}export/").status_code == 200


def test_what_was_exported_can_be_imported(
    organization: Organization, django_assert_max_num_queries: Any
) -> None:
    place = factories.location(organization, name="Quay", at=(5.25, 60.5))
    for number in range(5):
        factories.placed(place, name=f"ap-{number}")
    factories.device(factories.organization(), name="foreign")
    factories.device(organization, name="formula", notes="=1+1")
    client = signed_in(organization)
    with django_assert_max_num_queries(20):
        out = client.post(f"{DEVICES}export/", {"format": CSV, "resource": ""})
    rows = list(csv.DictReader(io.StringIO(out.content.decode())))
    assert {row["name"] for row in rows} == {"formula", *(f"ap-{n}" for n in range(5))}
    assert {row["location"] for row in rows if row["name"] != "formula"} == {"Quay"}
    assert "key" not in rows[0]
    preview = upload(client, DEVICES, out.content)
    assert not preview.context["result"].has_validation_errors()
    assert Device.objects.filter(organization=organization).count() == 6


def test_locations_come_from_a_spreadsheet(organization: Organization) -> None:
    book, out = Workbook(), io.BytesIO()
    book.active.append(["name", "organization", "type", "address", "longitude", "latitude"])
    book.active.append(["Quay", organization.slug, "outdoor", "Strandgaten 1", 5.3221, 60.3913])
    book.save(out)
    client = signed_in(organization)
    confirmed(client, LOCATIONS, upload(client, LOCATIONS, out.getvalue(), XLSX))
    place = Location.objects.get()
    assert (place.geometry.x, place.geometry.y) == (5.3221, 60.3913)
    answer = client.post(f"{LOCATIONS}export/", {"format": XLSX, "resource": ""})
    sheet = load_workbook(io.BytesIO(answer.content)).active
    assert [cell.value for cell in sheet[1]][:3] == ["id", "name", "organization"]


@pytest.mark.parametrize("at", ["x,60", "181,60", "5,", "nan,1"])
def test_a_place_that_is_none_is_refused(at: str, organization: Organization) -> None:
    data = f"name,organization,type,longitude,latitude\nQuay,{organization.slug},outdoor,{at}\n"
    preview = upload(signed_in(organization), LOCATIONS, data.encode())
    assert preview.context["result"].has_validation_errors()


def test_a_file_that_is_no_table_is_refused(organization: Organization) -> None:
    client = signed_in(organization)
    for data in (b"\x00\xff\xfe", b""):
        assert upload(client, DEVICES, data, XLSX).status_code == 200
    assert not Device.objects.exists()


def test_a_workbook_is_measured_unpacked_and_its_rows_are_counted_first(
    client: Client, admin: User
) -> None:
    client.force_login(admin)
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for number in range(6000):
        sheet.append([f"device {number}"])
    many = BytesIO()
    book.save(many)
    bomb = BytesIO()
    with ZipFile(bomb, "w", ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b" " * 30_000_000)
    lines = b"name\n" + b"x\n" * 6000
    for name, data, said in (
        ("a.xlsx", many.getvalue(), "At most 5000 rows"),
        ("a.xlsx", bomb.getvalue(), "Unpacked, this workbook has 28 MiB"),
        ("a.xlsx", b"nonsense", "no workbook"),
        ("a.csv", lines, "At most 5000 rows"),
    ):
        sent = {
            "import_file": SimpleUploadedFile(name, data),
            "format": XLSX if name == "a.xlsx" else CSV,
        }
        page = client.post("/admin/devices/device/import/", sent)
        assert said in page.content.decode(), name
