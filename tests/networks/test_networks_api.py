"""Networks in Muster's own API, and the effect of changes on configurations."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from controller.accounts.models import AuditEntry, Organization, User
from controller.base import mail_budget
from controller.base.errors import Conflict
from controller.base.redis_lock import turn
from controller.configs.models import Config
from controller.configs.rules import overlay_sync
from controller.configs.rules.devices import deactivate
from controller.configs.rules.rendering import PARTS, render_stale
from controller.devices.models import Device
from networks.overlay.models import JoinCode, Member, Network, Node
from networks.overlay.rules import join_codes, refresh, shares
from networks.overlay.rules.members import add
from networks.overlay.rules.presence import refresh_all
from tests import factories
from tests.vpn.test_clients import of_device

BASE = "/api/v1/networks"
DENY = {"default": "deny", "rules": [{"action": "allow", "from": ["one"], "to": ["two"]}]}


@pytest.fixture
def owner(organization: Organization) -> User:
    return factories.user(organization)


@pytest.fixture
def network(owner: User) -> Network:
    return factories.network(owner, "Robots")


@pytest.fixture
def call(api: Any) -> Callable[..., Any]:
    def go(user: User, method: str, path: str, data: Any = None) -> tuple[int, Any]:
        answer = getattr(api(user), method)(f"{BASE}{path}", data, format="json")
        return answer.status_code, answer.json() if answer.content else None

    return go


def test_networks_are_made_changed_listed_and_deleted(owner: User, call: Any) -> None:
    status, made = call(owner, "post", "/", {"name": "Robots"})
    assert status == 201
    assert (made["role"], made["member_count"], made["slug"]) == (
        "owner", 0, f"robots-{made['id']}",
    )  # fmt: skip
    at = f"/{made['id']}/"
    assert call(owner, "patch", at, {"name": "Drones"})[1]["name"] == "Drones"
    assert [one["name"] for one in call(owner, "get", "/?name=dron")[1]["results"]] == [
        "Drones"
    ]
    assert call(owner, "get", "/?name=x")[1]["results"] == []
    assert call(owner, "delete", at)[0] == 204
    assert call(owner, "get", at)[0] == 404


def test_strangers_see_nothing_and_members_change_nothing(
    network: Network, owner: User, call: Any
) -> None:
    member, stranger = factories.user(), factories.user()
    factories.share(network, member)
    row = factories.member(network)
    at = f"/{network.pk}"
    for path in (
        f"{at}/",
        f"{at}/members/",
        f"{at}/members/{row.pk}/",
        f"{at}/codes/",
        f"{at}/policy/",
    ):
        assert call(stranger, "get", path)[0] == 404
        assert call(member, "get", path)[0] == 200
    for method, path, data in (
        ("delete", f"{at}/", None), ("patch", f"{at}/", {"name": "x"}),
        ("post", f"{at}/codes/", {}), ("post", f"{at}/shares/", {"email": "x@example.org"}),
        ("put", f"{at}/policy/", {"policy": {}}), ("delete", f"{at}/members/{row.pk}/", None),
        ("patch", f"{at}/members/{row.pk}/", {"tags": ["a"]}),
    ):  # fmt: skip
        assert call(member, method, path, data)[0] == 403, path
        assert call(stranger, method, path, data)[0] == 404, path


def test_a_device_of_the_inventory_is_added_and_configured(
    network: Network, owner: User, organization: Organization, call: Any
) -> None:
    device = factories.device(organization, name="gateway", config={})
    status, made = call(owner, "post", f"/{network.pk}/members/", {"device": str(device.pk)})
    assert (status, made["node"]["name"], made["node"]["device"]) == (
        201,
        "gateway",
        str(device.pk),
    )
    # Without SSH the key cannot be generated on the device.
    assert made["node"]["key_mode"] == "portal"
    overlay_sync.sync_outdated()
    files = of_device(device)
    node = Node.objects.get(device=device)
    assert (
        f"{node.address} gateway gateway.robots-{network.pk}.mesh"
        in (files["etc/muster/overlay/hosts"])
    )
    assert files["etc/muster/overlay/private"].strip() == node.private_key
    assert "option proto 'wireguard'" in files["etc/config/network"]
    assert files["etc/openwisp/post-reload-hook"].startswith("#!/bin/sh")


def test_a_device_of_another_organization_is_not_there(
    network: Network, owner: User, call: Any
) -> None:
    foreign = factories.device(factories.organization(), config={})
    status, said = call(owner, "post", f"/{network.pk}/members/", {"device": str(foreign.pk)})
    assert (status, list(said)) == (400, ["device"])


@pytest.mark.parametrize(
    "bad", [{}, {"device": "x"}, {"link": "x"}, {"address": "x", "link": "y"}]
)
def test_a_bad_member_is_refused(network: Network, owner: User, call: Any, bad: Any) -> None:
    assert call(owner, "post", f"/{network.pk}/members/", bad)[0] == 400


def test_a_join_renders_the_members_and_the_relay_alone(
    network: Network, owner: User, organization: Organization, admin: User
) -> None:
    def rendered() -> dict[str, int]:
        return dict(Config.objects.values_list("device__name", "rendered_revision"))

    def joined(to: Network, name: str) -> Device:
        device = factories.device(organization, name=name, config={})
        node = factories.node(owner, name, device=device)
        add(to, node, by=owner)
        return device

    hub = factories.device(organization, name="hub", config={})
    overlay_sync.set_relay(hub, by=admin, endpoint="192.0.2.1:51820")
    other = factories.network(owner)
    for name in ("one", "two"):
        joined(network, name)
    joined(other, "elsewhere")
    factories.device(organization, name="nowhere", config={})
    overlay_sync.sync_outdated()
    before = rendered()
    # A burst of changes renders each device once.
    for name in ("three", "four", "five"):
        joined(network, name)
    assert overlay_sync.sync_outdated() == 6
    after = rendered()
    assert {name for name in before if before[name] != after[name]} == {"one", "two", "hub"}
    assert after["one"] == before["one"] + 1
    assert overlay_sync.sync_outdated() == 0


def test_a_device_that_is_retired_leaves_its_networks(
    network: Network, owner: User, organization: Organization, call: Any
) -> None:
    device = factories.device(organization, name="gateway", config={})
    call(owner, "post", f"/{network.pk}/members/", {"device": str(device.pk)})
    deactivate(device)
    assert not network.members.exists()


def test_a_policy_is_stored_when_its_tests_pass_and_else_not(
    network: Network, owner: User, call: Any
) -> None:
    factories.member(network, name="one"), factories.member(network, name="two")
    at = f"/{network.pk}/policy/"
    good = {"policy": DENY, "tests": [{"from": "two", "to": "one", "expect": "deny"}]}
    assert call(owner, "put", at, good) == (200, good)
    assert call(owner, "get", f"/{network.pk}/matrix/")[1] == {
        "members": ["one", "two"], "rows": [["self", "all"], ["none", "self"]],
        "ways": [["", ""], ["", ""]],
    }  # fmt: skip
    status, said = call(owner, "put", at, {"policy": {"default": "allow"}})
    assert status == 400
    assert said["tests"] == [
        "Test 1 expects deny for icmp from two to one, and the default says allow."
    ]
    assert call(owner, "get", at)[1] == good
    tried = call(owner, "post", f"/{network.pk}/matrix/", {"policy": {}})[1]
    assert tried["rows"] == [["self", "all"], ["all", "self"]]


@pytest.mark.parametrize(
    "bad", [{"policy": []}, {"policy": {"rules": [1]}}, {"policy": {}, "tests": {}}, {}]
)
def test_a_bad_policy_is_refused(network: Network, owner: User, call: Any, bad: Any) -> None:
    assert call(owner, "put", f"/{network.pk}/policy/", bad)[0] == 400


def test_codes_are_made_and_revoked(network: Network, owner: User, call: Any) -> None:
    at = f"/{network.pk}/codes/"
    status, made = call(
        owner, "post", at, {"label": "Factory", "max_uses": 5, "needs_approval": True}
    )
    assert (status, made["max_uses"], made["is_default"]) == (201, 5, False)
    assert len(call(owner, "get", at)[1]["results"]) == 2
    assert call(owner, "delete", f"{at}{made['id']}/")[0] == 204
    assert not JoinCode.objects.get(pk=made["id"]).is_good
    old = network.codes.get(is_default=True).secret
    fresh = call(owner, "post", f"/{network.pk}/rotate-join-code/")[1]["code"]
    assert old not in fresh


def test_an_invitation_makes_whoever_has_it_a_member_until_it_is_replaced(
    network: Network, owner: User, call: Any
) -> None:
    guest, late = factories.user(), factories.user()
    token = call(owner, "get", f"/{network.pk}/")[1]["share_token"]
    status, shown = call(guest, "post", "/accept/", {"token": token})
    assert (status, shown["role"], shown["share_token"]) == (200, "member", None)
    assert call(owner, "post", f"/{network.pk}/rotate-share-token/")[0] == 200
    assert call(late, "post", "/accept/", {"token": token})[0] == 404
    assert call(late, "post", "/accept/", {"token": "x:y:z"})[0] == 404
    assert call(owner, "post", "/accept/", {"token": token})[0] == 404


def test_nobody_joins_a_network_without_accepting(
    network: Network, owner: User, call: Any, django_capture_on_commit_callbacks: Any
) -> None:
    guest, other = factories.user(), factories.user()
    at, body = f"/{network.pk}", {"email": guest.email.upper(), "permissions": "admin"}
    with django_capture_on_commit_callbacks(execute=True):
        shown = call(owner, "post", f"{at}/shares/", body)[1]
    assert (shown["is_pending"], shown["accepted_at"]) == (True, None)
    assert call(guest, "get", f"{at}/")[0] == 404
    assert call(guest, "get", "/")[1]["count"] == 0
    assert call(other, "get", "/invitations/")[1]["results"] == []
    (invited,) = call(guest, "get", "/invitations/")[1]["results"]
    assert (invited["network"], invited["owner"]) == (network.name, owner.email)
    Network.objects.filter(pk=network.pk).update(name="Robots\nBcc: all@example.org")
    shares.mail(shown["id"])
    assert mail.outbox[-1].subject.endswith("Robots Bcc: all@example.org")
    assert invited["token"] in mail.outbox[-1].body
    assert mail.outbox[-1].to == [guest.email.upper()]
    status, accepted = call(guest, "post", "/accept/", {"token": invited["token"]})
    assert (status, accepted["role"]) == (200, "admin")
    assert call(other, "post", "/accept/", {"token": invited["token"]})[0] == 404
    assert not shares.mail(shown["id"])


def test_an_invitation_into_a_network_is_declined(
    network: Network, owner: User, call: Any
) -> None:
    guest = factories.user()
    call(owner, "post", f"/{network.pk}/shares/", {"email": guest.email})
    (invited,) = call(guest, "get", "/invitations/")[1]["results"]
    assert call(guest, "post", "/decline/", {"token": "x"})[0] == 404
    assert call(guest, "post", "/decline/", {"token": invited["token"]})[0] == 204
    assert not network.shares.exists()
    assert call(guest, "post", "/accept/", {"token": invited["token"]})[0] == 404


def test_an_invitation_that_is_withdrawn_lets_nobody_in(
    network: Network, owner: User, call: Any
) -> None:
    guest = factories.user()
    shown = call(owner, "post", f"/{network.pk}/shares/", {"email": guest.email})[1]
    (invited,) = call(guest, "get", "/invitations/")[1]["results"]
    assert call(owner, "delete", f"/{network.pk}/shares/{shown['id']}/")[0] == 204
    assert call(guest, "post", "/accept/", {"token": invited["token"]})[0] == 404


def test_nobody_sends_mails_without_end(
    network: Network, owner: User, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_budget, "MOST_AN_HOUR", 2)
    found = [
        call(owner, "post", f"/{network.pk}/shares/", {"email": f"x{number}@example.org"})[0]
        for number in range(3)
    ]
    assert found == [201, 201, 400]


def test_a_phone_is_told_its_configuration_once(
    network: Network, owner: User, call: Any
) -> None:
    assert call(owner, "post", f"/{network.pk}/phone/", {"name": "phone"})[0] == 404
    Node.objects.filter(is_relay=True).update(endpoint="192.0.2.1:51820")
    status, said = call(owner, "post", f"/{network.pk}/phone/", {"name": "phone"})
    assert status == 201
    assert said["config"].startswith("[Interface]\nPrivateKey = ")
    assert said["qr"].startswith("<svg")
    assert "PrivateKey" not in str(call(owner, "get", f"/{network.pk}/members/"))


def test_only_a_superuser_chooses_the_relay(
    owner: User, admin: User, organization: Organization, call: Any
) -> None:
    hub = factories.device(organization, name="hub", config={})
    body = {"device": str(hub.pk), "endpoint": "192.0.2.1:51820", "port": 51820}
    assert call(owner, "put", "/relay/", body)[0] == 403
    assert call(admin, "put", "/relay/", body)[1]["endpoint"] == "192.0.2.1:51820"
    overlay_sync.sync_outdated()
    files = of_device(hub)
    assert "chain forward" in files["etc/muster/overlay/firewall"]
    assert "PrivateKey" not in files["etc/muster/overlay/wg.conf"]


def test_ones_own_device_is_renamed_and_reached(
    network: Network, owner: User, call: Any
) -> None:
    node = factories.member(network, name="one").node
    factories.member(network, name="two")
    at = f"/devices/{node.pk}/"
    assert call(owner, "patch", at, {"name": "renamed"})[1]["name"] == "renamed"
    assert call(owner, "patch", at, {"name": "two"})[0] == 400
    assert call(owner, "patch", at, {"port": 80})[0] == 400
    guest = factories.user()
    factories.share(network, guest, "admin")
    assert call(guest, "get", at)[0] == 200
    assert call(guest, "patch", at, {"name": "stolen"})[0] == 403
    assert call(factories.user(), "patch", at, {"name": "stolen"})[0] == 404


def test_members_are_found_by_name_state_and_tag(
    network: Network, owner: User, call: Any
) -> None:
    one = factories.member(network, name="one")
    factories.member(network, name="two")
    at = f"/{network.pk}/members/"
    assert call(owner, "patch", f"{at}{one.pk}/", {"tags": ["web"]})[1]["tags"] == ["web"]
    assert call(owner, "patch", f"{at}{one.pk}/", {"tags": ["Bad Tag"]})[0] == 400
    for query in ("name=one", "tag=web"):
        found = call(owner, "get", f"{at}?{query}")[1]["results"]
        assert [row["node"]["name"] for row in found] == ["one"]
    assert call(owner, "get", f"{at}?state=pending")[1]["results"] == []


def test_lists_take_the_same_queries_however_long_they_are(
    network: Network, owner: User, call: Any
) -> None:
    def counted(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            call(owner, "get", path)
        return len(queries)

    paths = ["/", f"/{network.pk}/members/", f"/{network.pk}/codes/", "/devices/"]
    factories.member(network)
    for path in paths:
        call(owner, "get", path)
    few = [counted(path) for path in paths]
    for _ in range(4):
        factories.member(network)
        factories.network(owner)
    assert [counted(path) for path in paths] == few


def test_what_people_do_with_networks_is_in_the_audit_without_secrets(
    network: Network, owner: User, call: Any
) -> None:
    call(owner, "post", f"/{network.pk}/codes/", {"label": "Factory"})
    entry = AuditEntry.objects.filter(object_name="Factory").get()
    assert entry.organization_id is None
    assert JoinCode.objects.get(label="Factory").secret not in str(entry.after)


def test_rendering_many_members_takes_few_queries(
    network: Network, owner: User, organization: Organization
) -> None:
    def add(number: int) -> None:
        device = factories.device(organization, name=f"device-{number}", config={})
        factories.member(network, name=f"device-{number}", device=device)

    def counted() -> int:
        Config.objects.invalidate()
        with CaptureQueriesContext(connection) as queries:
            render_stale()
        return len(queries)

    numbers = count()
    # Each part that workers share costs the same few queries.
    while not all(Config.objects.filter(part).exists() for part in PARTS.values()):
        add(next(numbers))
    counted()
    few = counted()
    for _ in range(8):
        add(next(numbers))
    counted()
    assert counted() == few


def test_a_member_whose_time_is_over_is_none_any_more(network: Network) -> None:
    member = factories.member(network)
    Member.objects.filter(pk=member.pk).update(expires_at="2020-01-01T00:00:00Z")
    refresh_all()
    assert not network.members.exists()


def test_devices_of_an_account_that_is_gone_leave(network: Network, owner: User) -> None:
    guest = factories.user()
    factories.member(network, guest)
    stays = factories.member(network)
    guest.delete()
    refresh_all()
    assert list(network.members.all()) == [stays]


def test_whoever_refreshes_second_gets_the_first_ones_result(network: Network) -> None:
    member = factories.member(network)
    refresh(network)
    first = Node.objects.get(pk=member.node_id).checked_at
    refresh(Network.objects.get(pk=network.pk))
    assert Node.objects.get(pk=member.node_id).checked_at == first


def test_one_refresh_is_under_way_at_a_time() -> None:
    with turn("a network", seconds=0.2):
        with turn("another", seconds=0.2):
            pass
        with pytest.raises(Conflict), turn("a network", seconds=0.2):
            pass
    with turn("a network", seconds=0.2):
        pass


def test_one_more_relay_is_told_to_all_members_and_taken_away_again(
    call: Any, admin: User, owner: User, organization: Organization
) -> None:
    network = factories.network(owner)
    member = factories.member(network)
    first, second = (
        factories.device(organization, name=name, config={}) for name in ("hub", "hub-2")
    )
    overlay_sync.set_relay(first, by=admin, endpoint="192.0.2.1:51820")
    body = {"device": str(second.pk), "endpoint": "192.0.2.2:51820", "port": 51820}
    assert call(owner, "post", "/relays/", body)[0] == 403
    status, made = call(admin, "post", "/relays/", body)
    assert (status, made["name"]) == (201, "relay-2")
    text = join_codes.document(member.node)
    keys = [one["public_key"] for one in call(admin, "get", "/relays/")[1]["results"]]
    assert len(keys) == 2
    assert [line.split()[1] for line in text.split("== relays\n")[1].splitlines()] == keys
    assert text.count("observer ") == 2
    assert call(admin, "post", "/relays/", body)[0] == 409
    assert call(admin, "delete", f"/relays/{made['id']}/")[0] == 204
    assert "== relays" not in join_codes.document(member.node)
    only = call(admin, "get", "/relays/")[1]["results"][0]["id"]
    assert call(admin, "delete", f"/relays/{only}/")[0] == 400


def test_a_phones_configuration_is_issued_again_with_another_key_and_the_same_address(
    owner: User, network: Network, call: Any
) -> None:
    Node.objects.filter(is_relay=True).update(endpoint="192.0.2.1:51820")
    _, first = call(owner, "post", f"/{network.pk}/phone/", {"name": "phone"})
    at = f"/{network.pk}/members/{first['member']['id']}/reissue/"
    status, again = call(owner, "post", at)
    assert status == 200
    address = first["member"]["node"]["address"]
    assert f"Address = {address}/128" in first["config"]
    assert f"Address = {address}/128" in again["config"]
    assert first["config"].splitlines()[1] != again["config"].splitlines()[1]
    assert first["member"]["node"]["public_key"] != again["member"]["node"]["public_key"]
    assert again["qr"].startswith("<svg")
    assert call(factories.user(), "post", at)[0] == 404
    guest = factories.user()
    factories.share(network, guest)
    assert call(guest, "post", at)[0] == 403
    robot = factories.member(network, name="robot")
    assert call(owner, "post", f"/{network.pk}/members/{robot.pk}/reissue/")[0] == 400
