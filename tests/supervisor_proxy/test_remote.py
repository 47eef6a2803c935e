"""Proxy of Home Assistant's UI: off by default, permissions, headers."""

import json
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from controller.accounts.models import AuditEntry, Organization, User
from controller.accounts.rules import issue_token
from supervisor_proxy.drivers.remote import own
from supervisor_proxy.models import IngressSession
from supervisor_proxy.rules import ingress
from tests import factories
from tests.fleet.core import Core
from tests.fleet.hassio import INGRESS_ENTRY
from tests.sockets import Listener, played

# Consumers close database connections, so these tests need real transactions.
pytestmark = pytest.mark.django_db(transaction=True)
DOMAIN = "pages.example.org"


@pytest.fixture
def cabin(run: Any, organization: Organization, settings: Any) -> tuple[Core, Any]:
    settings.MUSTER_HOME_REMOTE, settings.MUSTER_INGRESS_DOMAIN = True, DOMAIN
    device = run(Core())
    row = factories.supervisor(
        device, organization, flavor="hassio", app_id=None, transport="core", key=device.token
    )
    return device, row


@pytest.fixture
def open_page(api: Any, admin: User, cabin: Any) -> Any:
    def open_page(addon: str = "core_ssh", user: User | None = None) -> Any:
        url = f"/api/v1/controller/supervisor/{cabin[1].pk}/ingress/"
        return api(user or admin).post(url, {"addon": addon})

    return open_page


def path_of(row: Any) -> str:
    return f"/api/v1/controller/device/{row.device_id}/hassio/core/websocket"


# --- the WebSocket


def test_clients_of_home_assistant_talk_to_it_with_a_token_of_the_portal(
    cabin: Any, admin: User
) -> None:
    device, row = cabin
    token = issue_token(admin, name="app")

    async def scene() -> None:
        client = Listener(path_of(row))
        assert await client.connect() == 0
        assert (await client.hears())["type"] == "auth_required"
        await client.says({"type": "auth", "access_token": token})
        assert await client.hears() == {"type": "auth_ok", "ha_version": device.core}
        await client.says({"id": 5, "type": "get_states"})
        assert await client.hears() == {
            "id": 5,
            "type": "result",
            "success": True,
            "result": [],
        }
        for shut in (
            {"type": "supervisor/api", "endpoint": "/host/shutdown", "method": "post"},
            {"type": "auth/long_lived_access_token"}, {"type": "config/auth/list"},
            {"type": "hassio/update/addon"},
            {"type": "call_service", "domain": "hassio", "service": "host_shutdown"},
        ):  # fmt: skip
            await client.says({"id": 6, **shut})
            assert (await client.hears())["error"]["code"] == "unauthorized"
        await client.leaves()

    played(scene)
    assert [one["type"] for one in device.asked] == ["get_states"]
    assert AuditEntry.objects.filter(action="home.socket_opened").exists()


def test_the_socket_is_shut_until_it_is_switched_on_and_to_others(
    cabin: Any, admin: User, organization: Organization, settings: Any
) -> None:
    device, row = cabin
    operator = factories.user(organization, "operator")
    stranger = factories.user(factories.organization())

    tokens = {user: issue_token(user, name="x") for user in (operator, stranger, admin)}

    async def turned_away(user: User) -> None:
        client = Listener(path_of(row), authorization=f"Bearer {tokens[user]}")
        if await client.connect() == 0:
            assert await client.closes() == 4403

    for user in (operator, stranger):
        played(partial(turned_away, user))
    settings.MUSTER_HOME_REMOTE = False
    played(partial(turned_away, admin))
    assert not device.asked


# --- add-on pages


def test_a_page_has_an_origin_of_its_own_and_sees_nothing_of_the_portals(
    cabin: Any, open_page: Any
) -> None:
    device, _ = cabin
    link = urlsplit(open_page().json()["url"])
    assert link.netloc.endswith(f".{DOMAIN}")
    browser = Client(headers={"host": link.netloc})
    assert browser.get("/").status_code == 401
    entered = browser.get(f"/?{link.query}")
    cookie = entered.cookies["__Host-muster-page"]
    assert (cookie["secure"], cookie["httponly"], cookie["domain"]) == (True, True, "")
    assert Client(headers={"host": link.netloc}).get(f"/?{link.query}").status_code == 401
    assert browser.get("/")["Location"] == f"{INGRESS_ENTRY}/"
    browser.cookies["sessionid"] = "the portal's"
    shown = browser.post(
        f"{INGRESS_ENTRY}/a?b=c", "{}", content_type="application/json",
        headers={"Authorization": "Bearer x", "X-Hassio-Key": "y", "X-Forwarded-For": "z"},
    )  # fmt: skip
    assert shown.status_code == 200
    assert b"".join(shown.streaming_content) == f"<p>POST {INGRESS_ENTRY}/a?b=c</p>".encode()
    (sent,) = [one for one in device.requests if one.path.startswith(INGRESS_ENTRY)]
    assert not {"authorization", "x-hassio-key", "x-forwarded-for"} & set(sent.headers)
    assert "__Host" not in sent.headers["cookie"]
    assert sent.body == b"{}"
    # That host name serves nothing else of the portal or of Home Assistant.
    for path in ("/admin/", "/api/v1/controller/device/", "/api/states", f"{INGRESS_ENTRY}x/",
                 f"{INGRESS_ENTRY}/../../api/states"):  # fmt: skip
        assert browser.get(path).status_code == 404


def test_a_page_ends_by_time_and_with_its_users_right(
    cabin: Any, open_page: Any, admin: User
) -> None:
    link = urlsplit(open_page().json()["url"])
    browser = Client(headers={"host": link.netloc})
    browser.get(f"/?{link.query}")
    assert browser.get(f"{INGRESS_ENTRY}/").status_code == 200
    IngressSession.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert browser.get(f"{INGRESS_ENTRY}/").status_code == 401
    IngressSession.objects.update(expires=timezone.now() + timedelta(minutes=1))
    admin.is_active = False
    admin.save()
    assert browser.get(f"{INGRESS_ENTRY}/").status_code == 401


def test_pages_are_shut_until_they_are_switched_on_and_to_others(
    cabin: Any, open_page: Any, organization: Organization, settings: Any
) -> None:
    _, row = cabin
    assert open_page("core_mosquitto").status_code == 400
    assert open_page(user=factories.user(organization, "operator")).status_code == 403
    assert open_page(user=factories.user(factories.organization())).status_code == 404
    row.transport = "agent"
    row.save()
    assert "through Core" in json.dumps(open_page().json())
    settings.MUSTER_INGRESS_DOMAIN = ""
    assert open_page().status_code == 403
    assert not IngressSession.objects.exists()


def test_an_add_ons_cookie_stays_at_its_own_origin() -> None:
    assert own("a=b; Domain=example.org; Path=/x; HttpOnly") == "a=b; HttpOnly; Path=/x"
    assert own("ingress_session=x") == own("__Host-muster-page=x") == own("\x01") == ""


def test_what_gives_out_rights_is_not_passed_on() -> None:
    for kind in (
        "supervisor/api",
        "hassio",
        "auth/sign_path",
        "config/auth/create",
        "backup/start",
    ):
        assert ingress.is_shut({"type": kind})
    for kind in ("get_states", "subscribe_events", "config/area_registry/list", "call_service"):
        assert not ingress.is_shut({"type": kind})


SHUT_ANYHOW = [
    {"type": "call_service", "domain": "HASSIO", "service": "host_shutdown"},
    {"type": "call_service", "domain": " hassio", "service": "host_shutdown"},
    {"type": "Supervisor/API", "endpoint": "/host/shutdown"},
    {"type": "execute_script", "sequence": [{"service": "hassio.host_shutdown"}]},
    {
        "type": "call_service",
        "domain": "script",
        "sequence": [{"action": "Hassio.host_reboot"}],
    },
    {"type": "config/x", "parts": [{"choose": [{"sequence": [{"service": "backup.create"}]}]}]},
]


@pytest.mark.parametrize("message", SHUT_ANYHOW)
def test_what_is_shut_is_shut_in_any_spelling_and_at_any_depth(message: dict[str, Any]) -> None:
    assert ingress.is_shut(message)


def test_a_message_that_is_nested_too_deeply_is_shut() -> None:
    message: dict[str, Any] = {"type": "x"}
    for _ in range(100):
        message = {"type": "x", "inside": [message]}
    assert ingress.is_shut(message)
    assert not ingress.is_shut(
        {"type": "call_service", "domain": "light", "service": "turn_on"}
    )


def test_no_way_of_writing_a_path_leads_out_of_an_add_on() -> None:
    entry = "/api/hassio_ingress/0123456789abcdef/"
    hostile = (
        "../../api/states", "%2e%2e/%2e%2e/api/states", "%252e%252e/x", "x/%25252e%25252e/y",
        "..%2f..%2fapi", "%5c..%5capi", "x\\y", "%2e%2e%5cx",
    )  # fmt: skip
    assert [one for one in hostile if ingress.is_inside(f"{entry}{one}", entry)] == []
    assert not ingress.is_inside("/api/states", entry)
    for harmless in ("", "static/app.js", "a%20b/c.html", "50%25"):
        assert ingress.is_inside(f"{entry}{harmless}", entry)
