"""Admin pages of networks, with permissions by role."""

from typing import Any

import pytest
from django.test import Client
from django.utils.translation import override

from controller.accounts.models import Organization, User
from networks.gateways.admin.feature_titles import shown_phrase, translated
from networks.gateways.engine.features import FEATURES
from networks.overlay.models import Network
from tests import factories


@pytest.fixture
def owner(organization: Organization) -> User:
    return factories.user(organization, is_staff=True)


@pytest.fixture
def network(owner: User) -> Network:
    return factories.network(owner, "Robots")


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def sharing(network: Network, permissions: str) -> User:
    user = factories.user(network.owner.memberships.get().organization, is_staff=True)
    factories.share(network, user, permissions)
    return user


def page(network: Network, rest: str = "change/") -> str:
    return f"/admin/networks/network/{network.pk}/{rest}"


def test_a_network_is_made_renamed_and_deleted(owner: User) -> None:
    client = signed_in(owner)
    client.post("/admin/networks/network/add/", {"name": "Drones"})
    network = Network.objects.get()
    assert (network.name, network.owner) == ("Drones", owner)
    member = factories.member(network)
    client.post(page(network), {"name": "Robots", "master": member.pk})
    network.refresh_from_db()
    assert (network.name, network.master) == ("Robots", member)
    client.post(page(network, "delete/"), {"post": "yes"})
    assert not Network.objects.exists()


def test_strangers_find_no_page_and_no_button(
    network: Network, organization: Organization
) -> None:
    client = signed_in(factories.user(organization, is_staff=True))
    assert client.get("/admin/networks/network/").content.decode().count("Robots") == 0
    assert client.get(page(network)).status_code == 302
    assert client.get(page(network, "picture/")).status_code == 404
    assert client.post(page(network, "do/refresh/")).status_code == 404


def test_members_look_and_change_nothing(network: Network) -> None:
    client = signed_in(sharing(network, "member"))
    shown = client.get(page(network)).content.decode()
    assert "Test and store" not in shown
    assert "Shared with" not in shown
    assert client.post(page(network), {"name": "Mine"}).status_code == 403
    assert client.post(page(network, "delete/"), {"post": "yes"}).status_code == 403
    client.post(page(network, "do/policy/"), {"default": "deny"})
    client.post(
        page(network, "do/add-share/"), {"email": "x@example.org", "permissions": "admin"}
    )
    network.refresh_from_db()
    assert (network.name, network.policy, network.shares.count()) == ("Robots", {}, 1)


@pytest.mark.parametrize(
    ("verb", "data"),
    [
        ("add-device", {}), ("add-device", {"device": "x"}), ("add-link", {"link": "x"}),
        ("add-phone", {"name": "phone"}), ("remove", {"member": "x"}), ("approve", {}),
        ("tag", {"member": "7"}), ("revoke-code", {"code": "x"}), ("remove-share", {}),
        ("add-share", {"email": "x"}), ("nothing", {}),
        ("policy", {"default": "maybe"}), ("policy", {"rule-action": "allow"}),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_on_the_page(
    network: Network, owner: User, verb: str, data: Any
) -> None:
    answer = signed_in(owner).post(page(network, f"do/{verb}/"), data)
    assert (answer.status_code, answer["location"]) == (302, page(network))
    assert not network.members.exists()


def test_a_code_is_made_and_replaced(network: Network, owner: User) -> None:
    client = signed_in(owner)
    client.post(
        page(network, "do/add-code/"), {"label": "Factory", "days": "7", "max_uses": "3"}
    )
    code = network.codes.get(label="Factory")
    assert (code.max_uses, code.expires_at is None) == (3, False)
    usual = network.codes.get(is_default=True)
    client.post(page(network, "do/revoke-code/"), {"code": usual.pk})
    assert network.codes.get(is_default=True).secret != usual.secret


def test_features_are_called_by_the_readers_language() -> None:
    alias, reboot = FEATURES["opnsense.firewall.alias"], FEATURES["mikrotik.system.reboot"]
    assert shown_phrase(alias, "create") == "Add firewall alias"
    with override("de"):
        assert shown_phrase(alias, "create") == "Firewall-Alias hinzufügen"
        assert shown_phrase(reboot, "create") == "Gateway neu starten"
    with override("es"):
        assert shown_phrase(alias, "delete") == "Eliminar alias del cortafuegos"
        assert translated(alias.sentence).startswith("Un conjunto con nombre")
        assert translated("") == ""
