"""Edges of subnets: first and last hosts, small divisions, lines of imports."""

import pytest

from controller.accounts.models import Organization
from controller.base.errors import Refused
from networks.ipam.models import IpAddress
from networks.ipam.rules import import_csv, position
from tests import factories
from tests.networks.test_divisions import rule

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("10.0.0.1", 1), ("10.0.0.9", 9), ("10.0.0.14", 14), ("10.0.0.15", 1), ("10.0.0.0", 1),
        ("10.0.1.9", 1), ("::a00:9", 1), ("nothing", 1),
    ],
)  # fmt: skip
def test_a_place_outside_of_the_hosts_is_that_of_the_first_host(
    text: str, host: int, organization: Organization
) -> None:
    subnet = factories.subnet(organization, "10.0.0.0/28")
    assert position(subnet, text) == (10 << 24) + host


def test_a_refused_line_of_an_import_has_its_number_in_the_file() -> None:
    text = "Office\n10.0.0.0/24\n\nip address,description\n10.0.0.1,ok\n10.0.1.1,far\n"
    with pytest.raises(Refused, match=r"Line 6: 10\.0\.1\.1 is not in"):
        import_csv(text)


def test_a_part_with_just_enough_hosts_gives_its_hosts(organization: Organization) -> None:
    made = rule(
        organization,
        factories.subnet(organization, "10.8.0.0/24"),
        size=30,
        number_of_subnets=1,
    )
    factories.device(organization, config={})
    found = IpAddress.objects.filter(subnet__division__rule=made).order_by("number")
    assert [one.ip_address for one in found] == ["10.8.0.5", "10.8.0.6"]
