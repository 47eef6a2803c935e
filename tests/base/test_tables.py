"""Tables as spreadsheets write them: taken rightly, or refused with the reason; out and in again."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.accounts.models import Organization
from controller.base.tables import SpreadsheetCSV, as_text, delimiter_of, from_text
from controller.devices.models import Device
from networks.ipam.models import IpAddress, Subnet
from networks.ipam.rules.csv import as_csv, import_csv
from tests import factories
from tests.devices.test_exchange import CSV, DEVICES, XLSX, confirmed, previewed, signed_in

INPUTS = Path(__file__).parents[1] / "inputs/csv"


@given(st.text(max_size=20))
def test_a_cell_comes_back_as_it_was(text: str) -> None:
    assert from_text(as_text(text)) == text
    assert not as_text(text).startswith(("=", "@", "\t", "\r"))


@pytest.mark.parametrize("text", ["-12", "+3", "-1.5", "5,25"])
def test_a_number_is_no_formula(text: str) -> None:
    assert as_text(text) == text


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [("a,b,c", ","), ("a;b;c", ";"), ("a\tb", "\t"), ("name", ","), ('"a,b,c";d;e', ";")],
)
def test_the_header_says_what_separates_columns(header: str, delimiter: str) -> None:
    assert delimiter_of(f"\n{header}\n1,2;3;4;5;6") == delimiter


def table(name: str, organization: Organization) -> bytes:
    return (INPUTS / name).read_bytes().replace(b"bugorg", organization.slug.encode())


@pytest.fixture
def client(organization: Organization) -> Any:
    return signed_in(organization)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", ["semicolon.csv", "tab.csv", "header_case.csv", "crlf_blank.csv"]
)
def test_a_spreadsheets_own_csv_is_taken(
    name: str, client: Any, organization: Organization
) -> None:
    preview = previewed(client, DEVICES, table(name, organization))
    assert preview.found["counts"] == {"new": 1}
    confirmed(client, DEVICES, preview)
    device = Device.objects.get()
    assert device.organization == organization
    assert device.notes in {"x", "semi"}
    assert device.management_ip


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"name,mac_address,organization,serial\na,02:00:00:00:00:01,o,X\n", "serial"),
        (b"one two\nthree\n", "None of the columns is known"),
        (b"name,name\na,b\n", "twice"),
    ],
)
def test_what_is_no_column_is_told_and_nothing_is_offered(
    data: bytes, words: str, client: Any
) -> None:
    preview = previewed(client, DEVICES, data)
    assert preview.state == "refused"
    assert words in preview.problem
    assert not Device.objects.exists()


@pytest.mark.django_db
def test_each_unknown_column_of_a_file_is_named(
    client: Any, organization: Organization
) -> None:
    preview = previewed(client, DEVICES, table("unknown_col.csv", organization))
    assert preview.state == "refused"
    assert "Unknown columns: serial." in preview.problem
    assert not Device.objects.exists()


@pytest.mark.django_db
def test_an_older_export_of_a_subnet_is_taken_without_its_apostrophes(
    organization: Organization,
) -> None:
    import_csv(table("ipam_roundtrip_export.csv", organization).decode())
    found = dict(IpAddress.objects.values_list("ip_address", "description"))
    assert found["10.62.7.1"] == "-12 dBm"
    assert found["10.62.7.2"][0] in "+-=@"


@pytest.mark.django_db
def test_the_name_that_pages_show_is_a_name_of_the_column(
    client: Any, organization: Organization
) -> None:
    data = f"Name,MAC address,Organization,Serial number,Management address\na,020000000001,{organization.slug},S1,10.0.0.1\n"
    confirmed(client, DEVICES, previewed(client, DEVICES, data.encode()))
    device = Device.objects.get()
    assert (device.hardware_id, device.management_ip) == ("S1", "10.0.0.1")


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [CSV, XLSX])
def test_devices_go_out_and_come_in_as_they_were(
    kind: str, client: Any, organization: Organization
) -> None:
    notes = ["=SUM(A1)", "-12 dBm", "+43 1 5555", "@home", "'=quoted", "a;b,c\td", "two\nlines"]
    for text in notes:
        factories.device(organization, notes=text)
    out = client.post(f"{DEVICES}export/", {"format": kind, "resource": ""})
    Device.objects.update(notes="lost")
    confirmed(client, DEVICES, previewed(client, DEVICES, out.content))
    assert sorted(Device.objects.values_list("notes", flat=True)) == sorted(notes)


@pytest.mark.django_db
def test_a_subnet_goes_out_and_comes_in_as_it_was(organization: Organization) -> None:
    text = table("ipam_roundtrip.csv", organization).decode()
    assert import_csv(text) == 8
    before = dict(IpAddress.objects.values_list("ip_address", "description"))
    assert before["10.62.7.1"] == "-12 dBm"
    assert before["10.62.7.5"] == "'quoted"
    out = as_csv(Subnet.objects.get())
    assert "'=SUM(A1)" in out
    IpAddress.objects.all().delete()
    assert import_csv(out) == 8
    assert dict(IpAddress.objects.values_list("ip_address", "description")) == before


@pytest.mark.django_db
def test_a_subnets_semicolons_are_taken(organization: Organization) -> None:
    text = (
        f"Net;\n10.9.0.0/24;\n{organization.slug};\n;\nip_address;description\n10.9.0.1;one\n"
    )
    assert import_csv(text) == 1
    assert IpAddress.objects.get().description == "one"


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    found = SpreadsheetCSV().create_dataset("\ufeffname;notes\na;b\n".encode())
    assert found.headers == ["name", "notes"]
