from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from controller.accounts.models import Organization
from controller.base.errors import Refused
from networks.ipam import rules
from networks.ipam.models import IpAddress, Subnet
from tests import factories


def taken(subnet: Subnet) -> list[str]:
    return [str(row) for row in subnet.addresses.all()]


def test_addresses_are_given_from_the_bottom_and_gaps_are_filled(
    organization: Organization,
) -> None:
    subnet = factories.subnet(organization, "10.0.0.0/29")
    rows = rules.allocate(subnet, 4)
    assert [str(row) for row in rows] == ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]
    rules.delete_address(rows[1])
    assert rules.next_free(subnet) == "10.0.0.2"
    assert [str(row) for row in rules.allocate(subnet, 2)] == ["10.0.0.2", "10.0.0.5"]


def test_a_full_subnet_refuses_and_gives_nothing(organization: Organization) -> None:
    subnet = factories.subnet(organization, "10.0.0.0/30")
    with pytest.raises(Refused, match="2 free addresses left, and 3 are needed"):
        rules.allocate(subnet, 3)
    assert taken(subnet) == []
    rules.allocate(subnet, 2)
    assert rules.next_free(subnet) is None


def test_no_address_is_given_from_a_part_of_the_subnet(organization: Organization) -> None:
    subnet = factories.subnet(organization, "10.0.0.0/24")
    factories.subnet(organization, "10.0.0.0/28", master_subnet=subnet)
    assert rules.next_free(subnet) == "10.0.0.16"


def test_ten_thousand_taken_addresses_cost_no_more_queries(organization: Organization) -> None:
    subnet = factories.subnet(organization, "10.0.0.0/16")
    rules.allocate(subnet, 10_000)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert rules.next_free(subnet) == "10.0.39.17"
    assert len(queries) <= 3


def test_the_database_keeps_an_address_from_being_given_twice(
    organization: Organization,
) -> None:
    subnet = factories.subnet(organization, "10.0.0.0/24")
    (row,) = rules.allocate(subnet)
    with pytest.raises(IntegrityError):
        IpAddress.objects.create(subnet=subnet, ip_address=row.ip_address)


@pytest.mark.parametrize(
    ("text", "field"),
    [("10.0.1.1", "does not belong"), ("10.0.0.1", "already used"), ("::1", "does not belong")],
)
def test_an_address_is_inside_its_subnet_and_free(
    organization: Organization, text: str, field: str
) -> None:
    subnet = factories.subnet(organization, "10.0.0.0/24")
    rules.add_address(subnet=subnet, ip_address="10.0.0.1")
    with pytest.raises(Refused, match=field):
        rules.add_address(subnet=subnet, ip_address=text)


def test_subnets_of_one_organization_do_not_overlap(organization: Organization) -> None:
    factories.subnet(organization, "10.0.0.0/24")
    with pytest.raises(Refused, match=r"Subnet overlaps with 10\.0\.0\.0/24"):
        factories.subnet(organization, "10.0.0.0/16")
    other = factories.organization()
    factories.subnet(other, "10.0.0.0/16")
    with pytest.raises(Refused, match="another organization"):
        factories.subnet(None, "10.0.0.0/8")


def test_a_shared_subnet_is_taken_for_everybody(organization: Organization) -> None:
    factories.subnet(None, "10.0.0.0/24")
    with pytest.raises(Refused, match="internal usage"):
        factories.subnet(organization, "10.0.0.0/24")


def test_a_part_is_inside_of_its_master_and_of_its_kind(organization: Organization) -> None:
    master = factories.subnet(organization, "10.0.0.0/24")
    for text in ("10.0.1.0/28", "fd00::/64"):
        with pytest.raises(Refused):
            factories.subnet(organization, text, master_subnet=master)
    part = factories.subnet(organization, "10.0.0.16/28", master_subnet=master)
    with pytest.raises(Refused, match="Invalid master subnet"):
        rules.update_subnet(master, master_subnet=part)


def test_a_subnet_does_not_shrink_below_its_addresses(organization: Organization) -> None:
    subnet = factories.subnet(organization, "10.0.0.0/24")
    rules.add_address(subnet=subnet, ip_address="10.0.0.200")
    with pytest.raises(Refused, match="outside of it"):
        rules.update_subnet(subnet, subnet="10.0.0.0/25")
    subnet.refresh_from_db()
    assert rules.update_subnet(subnet, subnet="10.0.0.0/23").subnet == "10.0.0.0/23"


def test_allocation_counts_used_reserved_and_available(organization: Organization) -> None:
    subnet = factories.subnet(organization, "10.0.0.0/24")
    part = factories.subnet(organization, "10.0.0.16/28", master_subnet=subnet)
    rules.add_address(subnet=part, ip_address="10.0.0.17")
    rules.add_address(subnet=subnet, ip_address="10.0.0.1")
    found = rules.allocation(subnet)
    assert (found.total, found.used, found.reserved, found.available) == (254, 2, 15, 237)


def test_hosts_of_a_huge_network_come_page_by_page(
    organization: Organization, admin: Any, api: Any
) -> None:
    subnet = factories.subnet(organization, "fd00::/64")
    rules.allocate(subnet, 2)
    url = f"/api/v1/ipam/subnet/{subnet.pk}/hosts/"
    page = api(admin).get(url).json()
    assert len(page["results"]) == 256
    assert [one["used"] for one in page["results"]][:3] == [True, True, False]
    assert page["previous"] is None
    second = api(admin).get(page["next"]).json()
    assert second["results"][0]["address"] == "fd00::101"
    assert second["previous"].endswith(url)
    assert api(admin).get(f"{url}?start=nonsense").json() == page


def csv(text: str) -> dict[str, Any]:
    return {"csvfile": SimpleUploadedFile("subnet.csv", text.encode())}


def test_what_is_exported_can_be_imported(
    organization: Organization, admin: Any, api: Any
) -> None:
    subnet = factories.subnet(organization, "10.0.0.0/24", name="lab")
    rules.add_address(subnet=subnet, ip_address="10.0.0.5", description="printer")
    text = api(admin).post(f"/api/v1/ipam/subnet/{subnet.pk}/export/").content.decode()
    assert text == (
        f"lab\r\n10.0.0.0/24\r\n{organization.slug}\r\n\r\n"
        "ip_address,description\r\n10.0.0.5,printer\r\n"
    )
    rules.delete_subnet(subnet)
    for _ in range(2):
        answer = api(admin).post("/api/v1/ipam/import-subnet/", csv(text), "multipart")
        assert answer.json() == {"detail": "Data imported successfully."}
    again = Subnet.objects.get(organization=organization)
    assert (again.name, taken(again)) == ("lab", ["10.0.0.5"])


@pytest.mark.parametrize(
    "text",
    ["", "a\n", "a\nnonsense\n\n", "a\n10.0.0.0/24\nnobody\n", "a\n10.0.0.0/24\n\n\n10.1.1.1\n",
     "a\n10.0.0.0/24\n\n\nx\ny\n", "\n10.0.0.0/24\n\n\n", "a\n10.0.0.0/24\n\n\n10.0.0.1," + "x" * 101],
)  # fmt: skip
def test_a_bad_file_is_refused_in_words(db: Any, admin: Any, api: Any, text: str) -> None:
    sent = csv(text) if text else {"csvfile": SimpleUploadedFile("x.csv", b"\n")}
    answer = api(admin).post("/api/v1/ipam/import-subnet/", sent, "multipart")
    assert answer.status_code == 400, answer.content
    assert answer.json()
    assert not Subnet.objects.exists()


def test_nobody_imports_into_another_organization(organization: Organization, api: Any) -> None:
    stranger = factories.user(factories.organization(), "org_admin")
    text = f"a\n10.0.0.0/24\n{organization.slug}\n"
    answer = api(stranger).post("/api/v1/ipam/import-subnet/", csv(text), "multipart")
    assert answer.status_code == 403
    text = "a\n10.0.0.0/24\n\n"
    answer = api(stranger).post("/api/v1/ipam/import-subnet/", csv(text), "multipart")
    assert answer.status_code == 403
    assert not Subnet.objects.exists()


def test_a_file_is_needed_for_an_import(admin: Any, api: Any) -> None:
    answer = api(admin).post("/api/v1/ipam/import-subnet/", {}, "multipart")
    assert answer.status_code == 400
    assert "csvfile" in answer.json()


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_foreign_subnets_and_addresses_do_not_exist(
    organization: Organization, api: Any, method: str
) -> None:
    subnet = factories.subnet(organization, "10.0.0.0/24")
    (address,) = rules.allocate(subnet)
    client = api(factories.user(factories.organization(), "org_admin"))
    for path in (f"subnet/{subnet.pk}/", f"ip-address/{address.pk}/"):
        assert getattr(client, method)(f"/api/v1/ipam/{path}").status_code == 404
    for name in ("hosts", "allocation", "get-next-available-ip", "ip-address"):
        assert client.get(f"/api/v1/ipam/subnet/{subnet.pk}/{name}/").status_code == 404
    assert client.post(f"/api/v1/ipam/subnet/{subnet.pk}/request-ip/").status_code == 404


def test_an_operator_takes_addresses_and_leaves_subnets_alone(
    organization: Organization, api: Any
) -> None:
    subnet = factories.subnet(organization, "10.0.0.0/24")
    client = api(factories.user(organization, "operator"))
    assert client.post(f"/api/v1/ipam/subnet/{subnet.pk}/request-ip/").status_code == 201
    assert client.patch(f"/api/v1/ipam/subnet/{subnet.pk}/", {}).status_code == 403
    shared = factories.subnet(None, "10.1.0.0/24")
    assert client.get(f"/api/v1/ipam/subnet/{shared.pk}/").status_code == 200
    assert client.post(f"/api/v1/ipam/subnet/{shared.pk}/request-ip/").status_code == 403
    sent = {"subnet": str(shared.pk), "ip_address": "10.1.0.9"}
    path = f"/api/v1/ipam/subnet/{subnet.pk}/ip-address/"
    assert client.post(path, sent).status_code == 403


@pytest.mark.parametrize("sent", ["nonsense", "10.0.0.0/99", "", "\x00", None, 5, {}, []])
def test_a_bad_network_is_told_as_such(admin: Any, api: Any, sent: Any) -> None:
    answer = api(admin).post("/api/v1/ipam/subnet/", {"name": "x", "subnet": sent}, "json")
    assert answer.status_code == 400
    assert "subnet" in answer.json()
