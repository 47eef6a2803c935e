"""Calls of the Husarnet Dashboard API, compared key by key."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.accounts.rules.api_keys import create_key
from controller.base.secrets import digest
from networks.overlay.engine.keys import wireguard_pair
from networks.overlay.engine.overlay_names import link, new_link_secret
from networks.overlay.models import Member, Network, Node, Share
from networks.overlay.rules import accept
from networks.overlay.rules.join_codes import register, websetup_link
from networks.overlay.rules.networks import share_token
from networks.overlay.rules.shares import token_of
from tests import factories

LISTED = ["url", "owner", "name", "share_token", "join_code"]
DETAILED = [
    "url",
    "owner",
    "name",
    "share_token",
    "join_code",
    "shares",
    "ros-master",
    "members",
]
SHARE_TOKEN = r"\d{4}:[0-9A-Za-z]{6}:[\w-]{43}"
JOIN_CODE = r"fc94:[0-9a-f:]+/[2-9A-HJ-NP-Za-km-z]{22}"


@pytest.fixture
def owner(db: Any) -> User:
    return factories.user(email="owner@example.org")


@pytest.fixture
def network(owner: User) -> Network:
    return factories.network(owner, "my-network")


@pytest.fixture
def call(api: Any) -> Callable[..., Any]:
    """Make a request. Returns status and JSON."""
    clients: dict[Any, APIClient] = {}

    def go(user: User | None, method: str, path: str, data: Any = None) -> tuple[int, Any]:
        key = user.pk if user else None
        client = clients.setdefault(key, api(user))
        answer = client.generic(
            method, path, *([json.dumps(data)] if data is not None else []),
            content_type="application/json",
        )  # fmt: skip
        return answer.status_code, answer.json()

    return go


def shared(network: Network, permissions: str) -> User:
    user = factories.user()
    factories.share(network, user, permissions)
    return user


def at(network: Network) -> str:
    return f"/api/network/{network.pk}"


def test_a_network_is_made_and_listed(owner: User, call: Any) -> None:
    status, made = call(owner, "POST", "/api/networks/", {"name": "my-new-net-name"})
    assert (status, list(made)) == (201, ["status", "network"])
    assert made["status"] == "ok"
    network = made["network"]
    assert list(network) == LISTED
    assert re.fullmatch(r"/api/network/\d+", network["url"])
    assert isinstance(network["owner"], int)
    assert network["name"] == "my-new-net-name"
    assert re.fullmatch(SHARE_TOKEN, network["share_token"])
    assert re.fullmatch(JOIN_CODE, network["join_code"])
    assert call(owner, "GET", "/api/networks/") == (200, {"networks": [network]})


def test_others_networks_are_not_listed_unless_shared_ones_are_asked_for(
    network: Network, call: Any
) -> None:
    member = shared(network, "member")
    assert call(member, "GET", "/api/networks/")[1] == {"networks": []}
    (found,) = call(member, "GET", "/api/networks?shared=1")[1]["networks"]
    assert found["name"] == "my-network"
    assert found["share_token"] is None
    assert call(factories.user(), "GET", "/api/networks?shared=1")[1] == {"networks": []}


def test_a_network_in_detail(network: Network, owner: User, call: Any) -> None:
    one, other = (
        factories.member(network, name="mymachine"),
        factories.member(network, name="test"),
    )
    user = shared(network, "admin")
    network.master = one
    network.save()
    status, shown = call(owner, "GET", at(network))
    assert (status, list(shown)) == (200, DETAILED)
    assert shown["owner"] == "owner@example.org"
    assert shown["ros-master"] == one.pk
    assert shown["shares"] == [{"email": user.email, "permissions": "admin"}]
    assert shown["members"] == [
        {"id": other.pk, "name": "test", "device-id": str(other.node.address), "online": None},
        {"id": one.pk, "name": "mymachine", "device-id": str(one.node.address), "online": None},
    ]
    assert [list(one) for one in shown["members"]] == [
        ["id", "name", "device-id", "online"]
    ] * 2


@pytest.mark.parametrize("refresh", ["1", "true"])
def test_a_refresh_leaves_nobody_unknown(
    network: Network, owner: User, call: Any, refresh: str
) -> None:
    factories.member(network, name="here")
    factories.member(network, name="gone", last_seen="2020-01-01T00:00:00Z")
    shown = call(owner, "GET", f"{at(network)}?refresh_devices={refresh}")[1]
    assert {one["name"]: one["online"] for one in shown["members"]} == {
        "here": True, "gone": False,
    }  # fmt: skip


def test_a_name_and_a_master_are_changed_and_what_is_not_named_stays(
    network: Network, owner: User, call: Any
) -> None:
    member = factories.member(network)
    status, said = call(owner, "PUT", at(network), {"ros-master": str(member.pk)})
    assert (status, list(said), list(said["network"])) == (200, ["status", "network"], LISTED)
    assert (
        call(owner, "PUT", at(network), {"name": "newname"})[1]["network"]["name"] == "newname"
    )
    assert call(owner, "GET", at(network))[1]["ros-master"] == member.pk
    assert call(owner, "PUT", at(network), {"ros-master": None})[0] == 200
    assert call(owner, "GET", at(network))[1]["ros-master"] is None


@pytest.mark.parametrize(
    "bad",
    [{}, {"name": ""}, {"name": 7}, {"name": "x" * 256}, {"ros-master": 4711},
     {"ros-master": True}, {"ros-master": "abc"}, {"ros-master": 1.5}, [], "x", None],
)  # fmt: skip
def test_a_bad_change_is_refused_and_changes_nothing(
    network: Network, owner: User, call: Any, bad: Any
) -> None:
    status, said = call(
        owner, "PUT", at(network), bad if bad is not None else {"ros-master": []}
    )
    assert (status, list(said)) == (400, ["status", "detail"])
    network.refresh_from_db()
    assert (network.name, network.master) == ("my-network", None)


def test_a_master_that_leaves_is_none_any_more(
    network: Network, owner: User, call: Any
) -> None:
    member = factories.member(network)
    call(owner, "PUT", at(network), {"ros-master": member.pk})
    call(owner, "PATCH", at(network), {"op": "delete-member", "id": member.pk})
    assert call(owner, "GET", at(network))[1]["ros-master"] is None


def test_a_network_is_deleted(network: Network, owner: User, call: Any) -> None:
    factories.member(network)
    assert call(owner, "DELETE", at(network)) == (200, {"status": "ok"})
    assert call(owner, "GET", at(network))[0] == 404
    assert Node.objects.filter(is_relay=False).count() == 1


def a_link(host: str = "testserver") -> tuple[Node, str]:
    _, public = wireguard_pair()
    joined = register(public_key=public)
    return joined.node, websetup_link(joined, f"https://{host}")


def test_a_device_is_added_by_its_link(network: Network, owner: User, call: Any) -> None:
    node, printed = a_link()
    said = call(
        owner, "PATCH", at(network),
        {"op": "add-member", "link": printed, "name": "robot", "is-fully-managed": True},
    )  # fmt: skip
    assert said == (200, {"status": "ok"})
    node.refresh_from_db()
    assert (node.owner, node.name, node.is_fully_managed) == (owner, "robot", True)
    again = {"op": "add-member", "link": printed, "name": "robot"}
    assert call(owner, "PATCH", at(network), again) == (200, {"status": "ok"})
    assert network.members.count() == 1


@pytest.mark.parametrize(
    "name", ["Robot", "-a", "a_b", "localhost", "master", "", None, 7, "a\n", "taken"]
)
def test_a_bad_host_name_is_an_outcome_that_changes_nothing(
    network: Network, owner: User, call: Any, name: Any
) -> None:
    factories.member(network, name="taken")
    node, printed = a_link()
    said = call(
        owner, "PATCH", at(network), {"op": "add-member", "link": printed, "name": name}
    )
    assert said == (200, {"status": "invalid-hostname"})
    node.refresh_from_db()
    assert (node.owner, network.members.count()) == (None, 1)


def test_a_device_that_does_not_answer_is_an_outcome_that_changes_nothing(
    network: Network, owner: User, call: Any
) -> None:
    node, printed = a_link()
    Node.objects.filter(pk=node.pk).update(last_seen="2020-01-01T00:00:00Z")
    said = call(owner, "PATCH", at(network), {"op": "add-member", "link": printed, "name": "a"})
    assert said == (200, {"status": "connect"})
    node.refresh_from_db()
    assert (node.owner, network.members.count()) == (None, 0)


def test_a_link_of_somebody_elses_device_or_of_none_is_404(
    network: Network, owner: User, call: Any, settings: Any
) -> None:
    node, printed = a_link()
    Node.objects.filter(pk=node.pk).update(owner=factories.user())
    wrong = printed[:-24] + new_link_secret()
    unknown = link("https://testserver", "fc94::1234", new_link_secret())
    for one in (printed, wrong, unknown):
        body = {"op": "add-member", "link": one, "name": "a"}
        assert call(owner, "PATCH", at(network), body)[0] == 404
    settings.MUSTER_PUBLIC_URL = "https://muster.example.org"
    _, elsewhere = a_link(host="evil.example.org")
    body = {"op": "add-member", "link": elsewhere, "name": "a"}
    assert call(owner, "PATCH", at(network), body)[0] == 404


@pytest.mark.parametrize("key", ["device_id", "device-id"])
def test_a_known_device_is_added_by_its_id_in_any_spelling(
    network: Network, owner: User, call: Any, key: str
) -> None:
    node = factories.node(owner, "mine")
    spelled = node.address.upper()
    body = {"op": "add-member", key: spelled}
    assert call(owner, "PATCH", at(network), body) == (200, {"status": "ok"})
    assert call(owner, "PATCH", at(network), body) == (200, {"status": "ok"})
    assert network.members.get().node == node


def test_somebody_elses_device_is_not_there(network: Network, owner: User, call: Any) -> None:
    node = factories.node(factories.user())
    for one in (node.address, "fc94::1"):
        body = {"op": "add-member", "device_id": str(one)}
        assert call(owner, "PATCH", at(network), body)[0] == 404


@pytest.mark.parametrize(
    "bad",
    [
        {}, {"op": "nothing"}, {"op": 7}, {"op": ["add-member"]}, [], {"op": "add-member"},
        {"op": "add-member", "link": "x", "device_id": "fc94::1"},
        {"op": "add-member", "link": "https://testserver/husarnet/fc94", "name": "a"},
        {"op": "add-member", "link": 7, "name": "a"},
        {"op": "add-member", "link": "x", "name": "a", "is-fully-managed": 1},
        {"op": "add-member", "device_id": "not an address"},
        {"op": "add-member", "device_id": 7},
        {"op": "delete-member"}, {"op": "delete-member", "id": True},
        {"op": "delete-member", "id": 1.5}, {"op": "delete-member", "id": "abc"},
        {"op": "delete-member", "id": str(2**70)},
        {"op": "add-share"}, {"op": "add-share", "email": "no", "permissions": "member"},
        {"op": "add-share", "email": "a@example.org", "permissions": "owner"},
        {"op": "add-share", "email": "a@example.org", "permissions": []},
        {"op": "add-share", "email": "owner@example.org", "permissions": "admin"},
        {"op": "remove-share"}, {"op": "remove-share", "email": ["x"]},
        {"op": "remove-share", "email": "owner@example.org"},
    ],
)  # fmt: skip
def test_a_bad_operation_is_refused(network: Network, owner: User, call: Any, bad: Any) -> None:
    status, said = call(owner, "PATCH", at(network), bad)
    assert (status, list(said)) == (400, ["status", "detail"])


@pytest.mark.parametrize("quoted", [True, False])
def test_a_member_is_deleted_by_its_id(
    network: Network, owner: User, call: Any, quoted: bool
) -> None:
    member, stays = factories.member(network), factories.member(network)
    pk = str(member.pk) if quoted else member.pk
    body = {"op": "delete-member", "id": pk}
    assert call(owner, "PATCH", at(network), body) == (200, {"status": "ok"})
    assert list(network.members.all()) == [stays]
    assert call(owner, "PATCH", at(network), body)[0] == 404


def test_an_id_of_another_network_is_not_there(
    network: Network, owner: User, call: Any
) -> None:
    elsewhere = factories.member(factories.network(owner))
    body = {"op": "delete-member", "id": elsewhere.pk}
    assert call(owner, "PATCH", at(network), body)[0] == 404
    assert Member.objects.filter(pk=elsewhere.pk).exists()


def test_members_remove_their_own_devices_and_admins_those_of_all_but_the_owner(
    network: Network, call: Any
) -> None:
    admin, user = shared(network, "admin"), shared(network, "member")
    of_owner, of_admin, of_user = (
        factories.member(network, one) for one in (None, admin, user)
    )

    def delete(by: User, member: Member) -> int:
        body = {"op": "delete-member", "id": member.pk}
        return int(call(by, "PATCH", at(network), body)[0])

    assert delete(user, of_owner) == delete(user, of_admin) == delete(admin, of_owner) == 403
    assert delete(user, of_user) == delete(admin, of_admin) == 200
    assert delete(admin, factories.member(network, user)) == 200


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("PUT", {"name": "mine"}),
        ("DELETE", None),
        ("PATCH", {"op": "add-share", "email": "x@example.org", "permissions": "member"}),
        ("PATCH", {"op": "remove-share", "email": "x@example.org"}),
    ],
)
def test_what_is_not_for_members_is_403_and_nothing_is_there_for_strangers(
    network: Network, call: Any, method: str, body: Any
) -> None:
    assert call(shared(network, "member"), method, at(network), body)[0] == 403
    assert call(factories.user(), method, at(network), body)[0] == 404
    assert call(None, method, at(network), body)[0] == 401
    assert call(None, "GET", at(network))[1]["status"] == "unauthorized"


def test_a_share_waits_until_it_is_accepted(network: Network, owner: User, call: Any) -> None:
    body = {"op": "add-share", "email": "Later@example.org", "permissions": "member"}
    assert call(owner, "PATCH", at(network), body) == (200, {"status": "ok"})
    assert call(owner, "GET", at(network))[1]["shares"] == [
        {"email": "Later@example.org", "permissions": "member"}
    ]
    late = factories.user(email="later@example.org")
    assert call(late, "GET", at(network))[0] == 404
    accept(late, token_of(Share.objects.get()))
    assert call(late, "GET", at(network))[0] == 200


def test_a_share_again_changes_what_it_permits(
    network: Network, owner: User, call: Any
) -> None:
    user = shared(network, "member")
    body = {"op": "add-share", "email": user.email.upper(), "permissions": "admin"}
    assert call(owner, "PATCH", at(network), body)[0] == 200
    assert Share.objects.get().permissions == "admin"
    assert call(user, "GET", at(network))[1]["share_token"]


def test_the_devices_of_whose_share_ends_leave_the_network(
    network: Network, owner: User, call: Any
) -> None:
    user = shared(network, "member")
    theirs, ours = factories.member(network, user), factories.member(network)
    body = {"op": "remove-share", "email": user.email}
    assert call(owner, "PATCH", at(network), body) == (200, {"status": "ok"})
    assert list(network.members.all()) == [ours]
    assert call(user, "GET", at(network))[0] == 404
    assert Node.objects.filter(pk=theirs.node_id).exists()
    assert call(owner, "PATCH", at(network), body)[0] == 404


def test_a_member_leaves_by_ending_their_own_share(network: Network, call: Any) -> None:
    user = shared(network, "member")
    body = {"op": "remove-share", "email": user.email}
    assert call(user, "PATCH", at(network), body)[0] == 200
    assert call(user, "GET", at(network))[0] == 404


def test_the_status_of_one_device(network: Network, owner: User, call: Any) -> None:
    node = factories.member(network, name="robot").node
    status, said = call(owner, "GET", f"/api/status/{node.address.upper()}")
    assert status == 200
    assert list(said) == ["device-id", "name", "online", "via", "last-seen"]
    assert (said["device-id"], said["name"], said["online"]) == (node.address, "robot", True)
    assert call(factories.user(), "GET", f"/api/status/{node.address}")[0] == 404
    assert call(owner, "GET", "/api/status/fc94:::1")[0] == 404
    assert call(shared(network, "member"), "GET", f"/api/status/{node.address}/")[0] == 200


@pytest.mark.parametrize("slash", ["", "/"])
def test_both_endings_of_a_path_are_good(
    network: Network, owner: User, call: Any, slash: str
) -> None:
    assert call(owner, "POST", f"/api/networks{slash}", {"name": "x"})[0] == 201
    assert call(owner, "GET", f"{at(network)}{slash}")[0] == 200
    assert call(owner, "PUT", f"{at(network)}{slash}", {"name": "y"})[0] == 200


@pytest.mark.parametrize("path", ["/api/network/abc", "/api/network/x/", "/api/network/1/2"])
def test_a_path_that_is_none_is_told_in_the_dialects_words(
    owner: User, call: Any, path: str
) -> None:
    assert call(owner, "GET", path) == (404, {"status": "not-found", "detail": "Not found."})


def test_bad_json_is_told_in_the_dialects_words(owner: User, api: Any) -> None:
    answer = api(owner).generic(
        "POST", "/api/networks/", '{"name": "x",}', content_type="application/json"
    )
    assert (answer.status_code, answer.json()["status"]) == (400, "bad-request")


def test_lists_and_details_take_the_same_queries_however_much_is_in_them(
    owner: User, call: Any
) -> None:
    def counted(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            call(owner, "GET", path)
        return len(queries)

    first = factories.network(owner)
    factories.member(first)
    call(owner, "GET", "/api/networks/"), call(owner, "GET", at(first))
    few = counted("/api/networks/"), counted(at(first))
    for _ in range(3):
        factories.member(factories.network(owner))
        factories.member(first)
        shared(first, "member")
    assert (counted("/api/networks/"), counted(at(first))) == few


def test_a_person_gets_a_token_at_its_page_and_sees_it_once(owner: User) -> None:
    client = Client()
    assert client.get("/api-token").status_code == 302
    client.force_login(owner)
    assert "Create" in client.get("/api-token").content.decode()
    page = client.post("/api-token").content.decode()
    token = re.search(r'id="token">(.+?)<', page)[1]  # type: ignore[index]
    headers = {"authorization": f"Token {token}"}
    assert Client().get("/api/networks/", headers=headers).status_code == 200
    assert token not in client.get("/api-token").content.decode()
    client.post("/api-token")
    assert Client().get("/api/networks/", headers=headers).status_code == 401


def test_a_narrow_key_does_no_more_than_it_may(organization: Organization) -> None:
    owner = factories.user(organization)
    network = factories.network(owner)
    secret = create_key(owner, name="reader", scopes=["network:read"])[1]
    client = APIClient(headers={"x-api-key": secret})
    assert client.get(at(network)).status_code == 200
    assert client.delete(at(network)).status_code == 403
    assert client.post("/api/networks/", {"name": "x"}).status_code == 403


def test_secrets_of_links_are_stored_as_hashes_alone(db: Any) -> None:
    node, printed = a_link()
    assert node.link_digest == digest(printed[-24:])


# --- pages behind links


def test_a_link_that_a_device_printed_is_opened_in_a_browser(network: Network) -> None:
    node, printed = a_link("testserver")
    path = printed.removeprefix("https://testserver")
    client = Client()
    assert client.get(path).status_code == 302
    client.force_login(network.owner)
    assert str(node.address) in client.get(path).content.decode()
    bad = client.post(path, {"network": network.pk, "name": "Not A Name"})
    assert "no host name" in bad.content.decode()
    assert not network.members.exists()
    assert client.post(path, {"network": network.pk, "name": "robot"}).status_code == 302
    assert network.members.get().node == node


def test_an_invitation_is_opened_in_a_browser(network: Network) -> None:
    client, guest = Client(), factories.user()
    path = f"/invitation/{share_token(network)}"
    assert client.get(path).status_code == 302
    client.force_login(guest)
    assert "You are invited to my-network" in client.get(path).content.decode()
    assert client.post(path).status_code == 302
    assert network in Network.objects.visible_to(guest)
    assert "not good" in client.get("/invitation/1:2:3").content.decode()
