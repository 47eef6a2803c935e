"""Exchanges about VPN servers recorded with OpenWISP Controller 1.3.2."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from controller.accounts.models import Organization
from controller.vpn.models import Vpn, VpnClient
from tests import factories
from tests.dialects.openwisp.test_golden import has_keys_of

GOLDEN = sorted((Path(__file__).parent / "golden/vpn").glob("*.json"))

ORGANIZATION = "6eee7ff3-d819-44f1-8052-5b06d2116c0e"
WIREGUARD_SUBNET = "8f25b0bb-2958-47b3-a25b-b6223c7cd014"
OPENVPN = "6873824a-972a-4fa3-9fe3-3e7672bc70bc"
WIREGUARD = "1d542c51-7734-489b-8a59-7b8222c97c46"
FIRST_WIREGUARD = "ab70d6b4-c28a-4ec5-a281-4177b4d25877"
DEVICE = "e27ab280-abc3-4554-a717-d60e96f0f528"
TEMPLATE = "d9dd734d-64ec-4934-affd-6e5c73024064"
VPN_TEMPLATE = "91867cc1-e40d-4ff3-9a77-218fdf050cba"
ADDRESS = "e110597f-f6bb-4f91-b5c8-888641a6e46e"
COMMON_NAME = "00:16:3e:22:41:54-cap-224154-RvqQqMbe"


@pytest.fixture
def stage(db: Any) -> dict[str, str]:
    """Create the rows as they were during the recording. Returns recorded id → ours."""
    organization = Organization.objects.create(name="Peer", slug="peer-org")
    subnet = factories.subnet(organization, "10.9.0.0/16", name="wg-subnet")
    openvpn = factories.openvpn(organization, name="ovpn-224154")
    first = factories.wireguard(organization, name="wireguard-server", subnet=subnet)
    template = factories.template(organization)
    client = factories.vpn_template(openvpn, name="tv")
    group = factories.group(organization, name="g-224154")
    device = factories.device(
        organization,
        name="cap-224154",
        mac_address="00:16:3e:22:41:54",
        group=group,
        config={"templates": [template, client]},
    )
    return {
        ORGANIZATION: str(organization.pk),
        WIREGUARD_SUBNET: str(subnet.pk),
        OPENVPN: str(openvpn.pk),
        WIREGUARD: str(factories.wireguard(organization, name="wg-224154", subnet=subnet).pk),
        FIRST_WIREGUARD: str(first.pk),
        DEVICE: str(device.pk),
        TEMPLATE: str(template.pk),
        VPN_TEMPLATE: str(client.pk),
        ADDRESS: str(first.ip_id),
        COMMON_NAME: VpnClient.objects.get(device=device).cert.common_name,
    }


def before(name: str, stage: dict[str, str], request: dict[str, Any]) -> None:
    """Create what a recorded request requires beyond the stage."""
    if name == "vpn_openvpn_create":
        request["body"]["ca"] = Vpn.objects.get(pk=stage[OPENVPN]).ca_id
        Vpn.objects.filter(pk=stage[OPENVPN]).update(name="another")
    if name == "vpn_wireguard_create":
        Vpn.objects.filter(pk=stage[WIREGUARD]).update(name="another")


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_recorded_exchange_is_answered_alike(
    path: Path, stage: dict[str, str], admin: Any, api: Any
) -> None:
    text = path.read_text()
    for recorded, ours in stage.items():
        text = text.replace(recorded, ours)
    recorded = json.loads(text)
    request = recorded["request"]
    before(path.stem, stage, request)
    body = "" if request["body"] is None else json.dumps(request["body"])
    answer = api(admin).generic(request["method"], request["path"], body, "application/json")
    assert answer.status_code == recorded["status"], answer.content
    for name in ("Content-Type", "Content-Disposition", "X-Openwisp-Controller"):
        if name in recorded["headers"]:
            assert answer.headers[name] == recorded["headers"][name], name
    compare(path.stem, recorded["body"], answer)


def compare(name: str, expected: Any, answer: Any) -> None:
    if not isinstance(expected, dict):
        names = tarfile.open(fileobj=io.BytesIO(answer.content)).getnames()
        assert names[0] in {"tun0.conf", "wg1.conf", "wg0.conf"}
        return
    shown = answer.json()
    has_keys_of(expected, shown, name)
    for key in ("backend", "config", "vpn", "type", "detail"):
        if key in expected:
            assert isinstance(shown[key], type(expected[key])), key


def test_the_words_about_a_bad_configuration_are_the_recorded_ones(
    stage: dict[str, str], admin: Any, api: Any
) -> None:
    path = Path(__file__).parent / "golden/vpn/error_400_vpn_openvpn_no_ca.json"
    recorded = json.loads(path.read_text().replace(ORGANIZATION, stage[ORGANIZATION]))
    answer = api(admin).post(
        recorded["request"]["path"], recorded["request"]["body"], format="json"
    )
    assert answer.json() == recorded["body"]
