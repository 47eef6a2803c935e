"""Exchanges recorded with OpenWISP IPAM 1.3.1, repeated against Muster."""

import json
from pathlib import Path
from typing import Any

import pytest

from controller.accounts.models import Organization
from networks.ipam.models import IpAddress, Subnet
from networks.ipam.rules import add_address, allocate, delete_subnet
from tests import factories
from tests.dialects.openwisp.test_golden import has_keys_of

GOLDEN = sorted((Path(__file__).parent / "golden/ipam").glob("*.json"))

ORGANIZATION = "6eee7ff3-d819-44f1-8052-5b06d2116c0e"
WIREGUARD_SUBNET = "8f25b0bb-2958-47b3-a25b-b6223c7cd014"
SUBNET = "50b98cda-4df5-48c5-89dd-075bcf02c4cc"
FIRST_ADDRESS = "28116011-a480-408e-9058-e2ba5ae134be"
ADDRESS = "b282fd9f-3be2-4b64-87ae-236cf07a9b52"
# Recorded before any address was allocated.
EMPTY = {"ipam_subnet_next_ip", "ipam_subnet_request_ip"}


@pytest.fixture
def stage(db: Any) -> dict[str, str]:
    organization = Organization.objects.create(name="Peer", slug="peer-org")
    wireguard = factories.subnet(organization, "10.9.0.0/16", name="wg-subnet")
    subnet = factories.subnet(organization, "10.77.0.0/24", name="sub-224154")
    (first,) = allocate(subnet, descriptions=["d"])
    address = add_address(subnet=wireguard, ip_address="10.9.200.7")
    return {
        ORGANIZATION: str(organization.pk),
        WIREGUARD_SUBNET: str(wireguard.pk),
        SUBNET: str(subnet.pk),
        FIRST_ADDRESS: str(first.pk),
        ADDRESS: str(address.pk),
    }


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_recorded_exchange_is_answered_alike(
    path: Path, stage: dict[str, str], admin: Any, api: Any
) -> None:
    text = path.read_text()
    for recorded, ours in stage.items():
        text = text.replace(recorded, ours)
    recorded = json.loads(text)
    if path.stem in EMPTY:
        IpAddress.objects.filter(subnet=stage[SUBNET]).delete()
    if path.stem == "ipam_subnet_create":
        delete_subnet(Subnet.objects.get(pk=stage[SUBNET]))
    request = recorded["request"]
    body = "" if request["body"] is None else json.dumps(request["body"])
    answer = api(admin).generic(request["method"], request["path"], body, "application/json")
    assert answer.status_code == recorded["status"], answer.content
    for name in ("Content-Type", "Content-Disposition"):
        if name in recorded["headers"]:
            assert answer.headers[name] == recorded["headers"][name], name
    compare(path.stem, recorded["body"], answer)


def compare(name: str, expected: Any, answer: Any) -> None:
    if name in {"ipam_subnet_allocation", "ipam_subnet_next_ip"}:
        assert answer.json() == expected
    elif isinstance(expected, dict):
        has_keys_of(expected, answer.json(), name)
    else:
        assert answer.content.decode() == expected
