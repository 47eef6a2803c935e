"""Links that keep a phone's configuration current without signing in."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from controller.accounts.models import AuditEntry
from networks.overlay.models import Member, Network, Node
from networks.overlay.rules import remove_member
from networks.overlay.rules.join_codes import static_member
from networks.overlay.rules.plans import relay
from tests import factories


@pytest.fixture
def network(db: Any) -> Network:
    made = factories.network(factories.user(), "Robots")
    relay()
    Node.objects.filter(is_relay=True).update(endpoint="192.0.2.1:51820")
    return made


@pytest.fixture
def phone(network: Network) -> Member:
    return static_member(network, by=network.owner, name="phone")[0]


def api_path(member: Member) -> str:
    return f"/api/v1/networks/{member.network_id}/members/{member.pk}/renewal-link/"


@pytest.fixture
def token(phone: Member, api: Any) -> str:
    answer = api(phone.network.owner).post(api_path(phone))
    assert answer.status_code == 201
    return str(answer.json()["link"]).rstrip("/").rpartition("/")[2]


def test_the_present_configuration_is_told_without_a_key(token: str, phone: Member) -> None:
    before = Node.objects.get(pk=phone.node_id).public_key
    Node.objects.filter(is_relay=True).update(endpoint="192.0.2.99:51820")
    answer = Client().get(f"/api/join/renewal/{token}/")
    text = answer.content.decode()
    assert "Endpoint = 192.0.2.99:51820" in text
    assert "PrivateKey =" not in text
    assert answer["Cache-Control"] == "no-store"
    assert Node.objects.get(pk=phone.node_id).public_key == before


def test_a_new_key_ends_the_old_one_and_is_audited(token: str, phone: Member) -> None:
    before = Node.objects.get(pk=phone.node_id)
    text = Client().post(f"/api/join/renewal/{token}/").content.decode()
    after = Node.objects.get(pk=phone.node_id)
    assert "PrivateKey = " in text
    assert str(after.address) == str(before.address)
    assert after.public_key != before.public_key
    assert AuditEntry.objects.get(action="overlay.renewed_by_link").object_name == "phone"
    assert token not in str(list(AuditEntry.objects.values()))


def test_a_phone_gets_a_code_on_a_page(token: str, phone: Member) -> None:
    client = Client()
    page = client.get(f"/network-device/{token}/")
    assert (page.status_code, page["Referrer-Policy"]) == (200, "no-referrer")
    assert b"mesh-qr" not in page.content
    shown = client.post(f"/network-device/{token}/")
    assert b"mesh-qr" in shown.content
    assert b"PrivateKey" in shown.content
    assert shown["Cache-Control"] == "no-store"


@pytest.mark.parametrize("ended", ["revoked", "replaced", "removed", "expired", "owner"])
def test_a_link_ends(token: str, phone: Member, api: Any, ended: str) -> None:
    owner = phone.network.owner
    match ended:
        case "revoked":
            assert api(owner).delete(api_path(phone)).status_code == 204
        case "replaced":
            assert api(owner).post(api_path(phone)).status_code == 201
        case "removed":
            remove_member(phone, by=owner)
        case "expired":
            Member.objects.filter(pk=phone.pk).update(expires_at=timezone.now())
        case _:
            owner.is_active = False
            owner.save()
    before = list(Node.objects.values_list("public_key", flat=True))
    for path in (f"/api/join/renewal/{token}/", f"/network-device/{token}/"):
        for ask in (Client().get, Client().post):
            answer = ask(path)
            assert answer.status_code == 404
            assert b"PrivateKey" not in answer.content
    assert list(Node.objects.values_list("public_key", flat=True)) == before


def test_only_who_manages_the_device_makes_a_link(phone: Member, api: Any) -> None:
    guest = factories.user()
    assert api(guest).post(api_path(phone)).status_code == 404
    factories.share(phone.network, guest)
    assert api(guest).post(api_path(phone)).status_code == 403
    robot = factories.member(phone.network, name="robot")
    assert api(phone.network.owner).post(api_path(robot)).status_code == 400
    assert Node.objects.exclude(renewal_digest=None).count() == 0


def test_links_are_not_guessed_fast(settings: Any, token: str) -> None:
    settings.MUSTER_JOINS_PER_MINUTE = 2
    codes = [Client().post(f"/api/join/renewal/{n}/").status_code for n in range(4)]
    assert codes == [404, 404, 429, 429]
