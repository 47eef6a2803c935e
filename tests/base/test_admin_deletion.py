"""Deletion of several rows of a list at once."""

from typing import Any

from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from controller.accounts.models import AuditEntry, Organization, User
from networks.ipam.models import IpAddress, Subnet
from networks.ipam.rules import add_address
from networks.overlay.models import Network
from pki.models import Ca
from tests import factories


def delete(user: User, model: str, rows: list[Any]) -> list[str]:
    """Delete the rows as the list does; return what it tells."""
    client = Client()
    client.force_login(user)
    chosen = {"action": "delete_selected", "_selected_action": [row.pk for row in rows]}
    answer = client.post(f"/admin/{model}/", chosen | {"post": "yes"})
    assert answer.status_code == 302
    return [str(one) for one in get_messages(answer.wsgi_request)]


def test_a_row_that_cannot_be_deleted_is_named_and_keeps_all(
    admin: User, organization: Organization
) -> None:
    free, used = (factories.ca(organization, name=name) for name in ("free", "used"))
    factories.cert(used)
    (told,) = delete(admin, "pki/ca", [free, used])
    assert told.startswith("Nothing was deleted. used: ")
    assert "free" not in told
    assert Ca.objects.count() == 2
    delete(admin, "pki/ca", [free])
    assert list(Ca.objects.values_list("name", flat=True)) == ["used"]


def addresses(organization: Organization, count: int) -> list[IpAddress]:
    subnet = factories.subnet(organization, f"10.{count}.0.0/24")
    return [
        add_address(subnet=subnet, ip_address=f"10.{count}.0.{n}") for n in range(1, count + 1)
    ]


def test_many_addresses_cost_as_few_queries_as_two(
    admin: User, organization: Organization
) -> None:
    counts = []
    for count in (2, 2, 40):  # the first one fills caches
        rows = addresses(organization, count)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            delete(admin, "networks/ipaddress", rows)
        counts.append(len(queries))
        assert not IpAddress.objects.exists()
        Subnet.objects.all().delete()
    assert counts[1] == counts[2]


def test_addresses_in_use_stay_with_all_others(admin: User, organization: Organization) -> None:
    rows = addresses(organization, 2)
    vpn = factories.wireguard(organization, subnet=rows[0].subnet)
    (told,) = delete(admin, "networks/ipaddress", [*rows, vpn.ip])
    assert str(vpn) in told
    assert IpAddress.objects.count() == 3


def test_networks_are_deleted_by_their_rule(organization: Organization) -> None:
    owner = factories.user(organization, is_staff=True)
    rows = [factories.network(owner, name) for name in ("Robots", "Drones")]
    before = AuditEntry.objects.count()
    delete(owner, "networks/network", rows)
    assert not Network.objects.exists()
    assert AuditEntry.objects.count() >= before + 2
