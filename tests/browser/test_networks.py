"""The page of an overlay network: add a device in two clicks, and the drawn mesh."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from controller.accounts.models import Organization, User
from controller.configs.rules import overlay_sync
from networks.overlay.models import Network, Node, Pair
from networks.overlay.rules import add_share, set_policy, update_member
from networks.overlay.rules.join_codes import create_code
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Browse = Callable[..., Any]


@pytest.fixture
def network(organization: Organization, admin: User) -> Network:
    owner = factories.user(organization, is_staff=True, username="owner")
    network = factories.network(owner, "Warehouse robots")
    hub = factories.device(organization, name="hub", config={})
    overlay_sync.set_relay(hub, by=admin, endpoint="vpn.example.org:51820")
    members = [
        factories.member(network, name=name)
        for name in ("camera", "forklift", "laptop", "server")
    ]
    update_member(members[2], by=owner, tags=["staff"])
    for one, latency in zip(members, (4.2, 12.0, None, 0.8), strict=True):
        Node.objects.filter(pk=one.node_id).update(
            online=latency is not None, latency=latency, checked_at=one.created
        )
    Pair.objects.create(
        low=members[1].node, high=members[3].node, state=Pair.State.DIRECT,
        used=members[0].created, since=members[0].created,
    )  # fmt: skip
    add_share(network, by=owner, email="partner@example.org", permissions="member")
    create_code(network, by=owner, label="Factory floor", max_uses=20, needs_approval=True)
    set_policy(
        network,
        by=owner,
        policy={
            "default": "allow",
            "rules": [
                {"action": "allow", "from": ["tag:staff"], "to": ["server"], "protocol": "tcp", "ports": ["22", "8000-8010"]},
                {"action": "deny", "from": ["*"], "to": ["server"], "protocol": "tcp"},
            ],
        },
        tests=[{"from": "camera", "to": "server", "protocol": "tcp", "port": 22, "expect": "deny"}],
    )  # fmt: skip
    return network


def seen(page: Any, name: str) -> None:
    """Save a screenshot for manual review."""
    if folder := os.environ.get("MUSTER_PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_a_device_is_added_in_two_clicks_and_drawn(
    browse: Browse, network: Network, organization: Organization
) -> None:
    factories.device(organization, name="press", config={})
    page = browse(network.owner).open(f"/admin/networks/network/{network.pk}/change/")
    seen(page, "network")
    page.select_option("[name=device]", label="press")
    page.locator("form", has=page.locator("[name=device]")).get_by_role("button").click()
    expect(page.locator(".mesh text", has_text="press")).to_be_visible()
    assert network.members.filter(node__name="press").exists()
    # The drawing updates without a reload.
    factories.member(network, name="latecomer")
    expect(page.locator(".mesh text", has_text="latecomer")).to_be_visible(timeout=15_000)
    row = page.locator(".table tr", has_text="press")
    row.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("press has left the network.")).to_be_visible()
    assert not network.members.filter(node__name="press").exists()


def test_a_policy_that_fails_its_tests_is_not_stored(browse: Browse, network: Network) -> None:
    page = browse(network.owner).open(f"/admin/networks/network/{network.pk}/change/")
    page.locator("[name=rule-action]").nth(1).select_option("allow")
    page.get_by_role("button", name="Test and store").click()
    expect(
        page.get_by_text("Test 1 expects deny for tcp 22 from camera to server")
    ).to_be_visible()
    network.refresh_from_db()
    assert network.policy["rules"][1]["action"] == "deny"


def test_a_phone_is_shown_its_qr_code(browse: Browse, network: Network) -> None:
    page = browse(network.owner, width=390, scheme="dark").open(
        f"/admin/networks/network/{network.pk}/change/"
    )
    seen(page, "network-phone-dark")
    page.fill("#add-phone", "phone")
    page.get_by_role("button", name="Show its QR code").click()
    expect(page.locator(".mesh-qr svg")).to_be_visible()
    expect(page.locator("#config")).to_contain_text("Endpoint = vpn.example.org:51820")
    seen(page, "phone")


def test_lists_and_the_relay_are_there(browse: Browse, network: Network, admin: User) -> None:
    watched = browse(admin)
    page = watched.open("/admin/networks/network/")
    expect(page.get_by_text("3 of 4 online")).to_be_visible()
    seen(page, "networks")
    page = watched.open("/admin/networks/node/")
    expect(page.get_by_text("Relay: hub")).to_be_visible()
    relay = Node.objects.get(is_relay=True)
    page = watched.open(f"/admin/networks/node/{relay.pk}/change/")
    page.fill("[name=endpoint]", "192.0.2.1:51820")
    page.locator("[name=_save]").click()
    page.wait_for_load_state("networkidle")
    relay.refresh_from_db()
    assert relay.endpoint == "192.0.2.1:51820"


def test_the_page_of_the_token(browse: Browse, network: Network) -> None:
    page = browse(network.owner).open("/api-token")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#token")).to_be_visible()
    seen(page, "api-token")
