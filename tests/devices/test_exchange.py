"""CSV import and export in the admin: preview, then write by the rules."""

import csv
import io
from datetime import timedelta
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from openpyxl import Workbook, load_workbook

from controller.accounts.models import Organization, TableImport, User
from controller.accounts.rules import table_imports
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


def upload(client: Client, url: str, data: bytes, name: str = "table.csv") -> Any:
    return client.post(f"{url}import/", {"import_file": SimpleUploadedFile(name, data)})


def previewed(client: Client, url: str, data: bytes, name: str = "table.csv") -> TableImport:
    """Upload a table, and let the worker read it."""
    answer = upload(client, url, data, name)
    assert answer.status_code == 302, answer.content.decode()
    row = TableImport.objects.get(pk=answer["Location"].rstrip("/").rpartition("/")[2])
    assert row.state == "reading"
    table_imports.run_due()
    row.refresh_from_db()
    return row


def confirmed(client: Client, url: str, row: TableImport) -> TableImport:
    client.post(f"{url}import/{row.pk}/confirm/")
    table_imports.run_due()
    row.refresh_from_db()
    return row


def page(client: Client, url: str, row: TableImport) -> str:
    answer = client.get(f"{url}import/{row.pk}/")
    assert answer.status_code == 200
    return str(answer.content.decode())


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
    preview = previewed(client, DEVICES, data)
    assert not Device.objects.exists()
    assert (preview.state, preview.found["counts"]) == ("ready", {"new": 2})
    assert "ap-1" in page(client, DEVICES, preview)
    ended = confirmed(client, DEVICES, preview)
    assert (ended.state, ended.done, ended.data) == ("done", 2, b"")
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
    preview = previewed(client, DEVICES, data)
    assert [one["number"] for one in preview.found["refused"]] == [1, 2, 3]
    told = page(client, DEVICES, preview)
    for words in (
        "Must be a valid mac address",
        "There is no organization",
        "There is no device group",
    ):
        assert words in told
    assert f"{preview.pk}/confirm/" not in told
    assert confirmed(client, DEVICES, preview).state == "ready"
    assert not Device.objects.exists()


def test_a_line_changes_the_device_that_it_is_of(organization: Organization) -> None:
    device = factories.device(
        organization, name="old", notes="kept", mac_address="02:00:00:00:00:0A"
    )
    client = signed_in(organization)
    data = (
        f"name,mac_address,organization\nnew,02:00:00:00:00:0a,{organization.slug}\n".encode()
    )
    preview = previewed(client, DEVICES, data)
    assert "<del>old</del> <ins>new</ins>" in page(client, DEVICES, preview)
    confirmed(client, DEVICES, preview)
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
    assert previewed(client, DEVICES, out.content).found["counts"] == {"skip": 6}
    assert Device.objects.filter(organization=organization).count() == 6


def test_locations_come_from_a_spreadsheet(organization: Organization) -> None:
    book, out = Workbook(), io.BytesIO()
    book.active.append(["name", "organization", "type", "address", "longitude", "latitude"])
    book.active.append(["Quay", organization.slug, "outdoor", "Strandgaten 1", 5.3221, 60.3913])
    book.save(out)
    client = signed_in(organization)
    confirmed(client, LOCATIONS, previewed(client, LOCATIONS, out.getvalue(), "a.xlsx"))
    place = Location.objects.get()
    assert (place.geometry.x, place.geometry.y) == (5.3221, 60.3913)
    answer = client.post(f"{LOCATIONS}export/", {"format": XLSX, "resource": ""})
    sheet = load_workbook(io.BytesIO(answer.content)).active
    assert [cell.value for cell in sheet[1]][:3] == ["id", "name", "organization"]


@pytest.mark.parametrize("at", ["x,60", "181,60", "5,", "nan,1"])
def test_a_place_that_is_none_is_refused(at: str, organization: Organization) -> None:
    data = f"name,organization,type,longitude,latitude\nQuay,{organization.slug},outdoor,{at}\n"
    preview = previewed(signed_in(organization), LOCATIONS, data.encode())
    assert preview.found["counts"] == {"refused": 1}


def test_a_file_that_is_no_table_is_refused(organization: Organization) -> None:
    client = signed_in(organization)
    for data in (b"\x00\xff\xfe", b"PK\x03\x04", b"", b"name,mac_address\n"):
        answer = upload(client, DEVICES, data, "a.xlsx")
        if answer.status_code == 200:
            assert "complaint" in answer.content.decode() or answer.context["form"].errors
        else:
            table_imports.run_due()
            row = TableImport.objects.latest("created")
            assert (row.state, bool(row.problem)) == ("refused", True)
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
        ("a.xlsx", bomb.getvalue(), "Unpacked, this workbook has 28 MiB"),
        ("a.xlsx", b"PK\x03\x04nonsense", "no workbook"),
        ("a.csv", b"name\n" + b"x" * (9 * 1024 * 1024), "This file has 9 MiB"),
    ):
        assert said in upload(client, DEVICES, data, name).content.decode(), name
    assert not TableImport.objects.exists()
    lines = b"name\n" + b"x\n" * 6000
    wide = b"name" + b"," * 2_000_000 + b"\n" + b"x\n" * 4000
    for name, data, said in (
        ("a.xlsx", many.getvalue(), "At most 5000 rows at a time."),
        ("a.csv", lines, "At most 5000 rows at a time."),
        ("a.csv", wide, "At most 200 columns; row 0 has more."),
    ):
        row = previewed(client, DEVICES, data, name)
        assert (row.state, row.problem) == ("refused", said)


def many(organization: Organization, count: int, first: int = 0) -> bytes:
    lines = [
        f"quay {number},{organization.slug},outdoor,5,60"
        for number in range(first, first + count)
    ]
    return "\n".join(["name,organization,type,longitude,latitude", *lines]).encode()


def test_a_preview_shows_the_first_rows_and_counts_all(organization: Organization) -> None:
    client = signed_in(organization)
    row = previewed(client, LOCATIONS, many(organization, 230))
    assert (row.total, row.found["counts"], len(row.found["rows"])) == (230, {"new": 230}, 200)
    shown = page(client, LOCATIONS, row)
    assert ("quay 199" in shown, "quay 200" in shown, "and 30 more" in shown) == (
        True, False, True,
    )  # fmt: skip
    part = client.get(f"{LOCATIONS}import/{row.pk}/progress/").content.decode()
    assert "data-refresh-done" in part


def test_a_row_that_stands_twice_in_a_table_is_refused(organization: Organization) -> None:
    data = many(organization, 2) + b"\n" + many(organization, 1).splitlines()[1]
    row = previewed(signed_in(organization), LOCATIONS, data)
    assert [(one["number"], one["why"]) for one in row.found["refused"]] == [
        (3, ["Row 1 is of the same one."])
    ]


def test_an_import_that_lost_its_worker_goes_on_where_it_was(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(organization)
    row = previewed(client, LOCATIONS, many(organization, 12))
    seen: list[int] = []
    progress = table_imports._progress

    def dies(*args: Any, **values: Any) -> None:
        progress(*args, **values)
        seen.append(values["done"])
        if len(seen) == 2:
            raise SystemExit

    monkeypatch.setattr(table_imports, "_progress", dies)
    client.post(f"{LOCATIONS}import/{row.pk}/confirm/")
    with pytest.raises(SystemExit):
        table_imports.run_due()
    # What the second transaction had done is taken back with it.
    assert Location.objects.count() == 5
    TableImport.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    table_imports.run_due()
    TableImport.objects.update(not_before=timezone.now())
    table_imports.run_due()
    row.refresh_from_db()
    assert (row.state, row.found["counts"]) == ("done", {"new": 12})
    assert Location.objects.count() == 12


def test_a_database_that_is_away_for_a_moment_refuses_no_import(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(organization)
    row = previewed(client, LOCATIONS, many(organization, 6))
    client.post(f"{LOCATIONS}import/{row.pk}/confirm/")

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("the connection is closed")

    with monkeypatch.context() as patch:
        patch.setattr(table_imports, "_progress", away)
        with pytest.raises(OperationalError):
            table_imports.run_due()
    row.refresh_from_db()
    assert row.state == "writing"


def test_a_row_that_is_refused_after_the_preview_is_left_out_and_listed(
    organization: Organization,
) -> None:
    client = signed_in(organization)
    group = factories.group(organization, name="Floor 1")
    lines = [
        f"ap-{number},02:00:00:00:00:0{number},{organization.slug},{'Floor 1' if number == 3 else ''}"
        for number in range(1, 8)
    ]
    data = "\n".join(["name,mac_address,organization,group", *lines]).encode()
    row = previewed(client, DEVICES, data)
    group.delete()
    row = confirmed(client, DEVICES, row)
    assert (row.state, row.found["counts"]) == ("done", {"new": 6, "refused": 1})
    assert [one["number"] for one in row.found["refused"]] == [3]
    assert Device.objects.count() == 6


def test_nobody_opens_the_import_of_another(organization: Organization) -> None:
    row = previewed(signed_in(organization), LOCATIONS, many(organization, 1))
    other = signed_in(organization)
    for method, rest in (("get", ""), ("get", "progress/"), ("post", "confirm/"),
                         ("post", "discard/")):  # fmt: skip
        answer = getattr(other, method)(f"{LOCATIONS}import/{row.pk}/{rest}")
        assert answer.status_code == 404
    assert other.get(f"{DEVICES}import/{row.pk}/").status_code == 404


def test_who_lost_the_permission_meanwhile_writes_nothing(organization: Organization) -> None:
    client = signed_in(organization)
    row = previewed(client, LOCATIONS, many(organization, 1))
    client.post(f"{LOCATIONS}import/{row.pk}/confirm/")
    row.user.memberships.update(role="viewer")
    table_imports.run_due()
    row.refresh_from_db()
    assert row.found["counts"] == {"refused": 1}
    assert not Location.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_a_table_is_parsed(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, inside = signed_in(organization), []
    parse = table_imports.parse

    def watched(data: bytes) -> Any:
        inside.append(connection.in_atomic_block)
        return parse(data)

    monkeypatch.setattr(table_imports, "parse", watched)
    confirmed(client, LOCATIONS, previewed(client, LOCATIONS, many(organization, 1)))
    assert inside == [False, False]
