"""Event stream: permissions, delivered events, and when it closes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings as portal
from django.db import OperationalError

from controller.accounts.models import Organization, Session, User
from controller.accounts.rules import api_keys, issue_token, sessions, sites
from controller.base.events import Event, event_for, publish
from controller.connections.rules import commands
from controller.devices.models import Device
from controller.devices.rules import Observation, record_observations
from controller.dialects import consumers as kit
from tests import factories
from tests.sockets import Listener, played

# Consumers close database connections, so these tests need real transactions.
pytestmark = pytest.mark.django_db(transaction=True)
Captured = Callable[..., Any]


@pytest.fixture
def told(django_capture_on_commit_callbacks: Captured) -> Callable[..., Any]:
    """Call a rule as a request would, including the commit and on_commit callbacks."""

    def call(rule: Callable[..., Any], *args: Any, **values: Any) -> Any:
        with django_capture_on_commit_callbacks(execute=True):
            return rule(*args, **values)

    return sync_to_async(call)


def bearer(user: User) -> dict[str, str]:
    return {"authorization": f"Bearer {issue_token(user, name='tests')}"}


def test_a_device_that_comes_online_is_told_to_who_may_see_it(
    told: Any, organization: Organization
) -> None:
    device = factories.device(organization, name="router-1")
    mine = bearer(factories.user(organization, "viewer"))
    foreign = bearer(factories.user(factories.organization(), "admin"))

    async def scene() -> None:
        listener, stranger = await Listener(**mine).ready(), await Listener(**foreign).ready()
        await told(record_observations, [Observation(device.pk, "online")])
        event = await listener.hears()
        assert event["type"] == "device.status"
        assert event["id"] == str(device.pk)
        assert event["organization_id"] == str(organization.pk)
        assert event["data"] == {"name": "router-1", "status": "online", "reason": ""}
        assert not {"permission", "has_site"} & event.keys()
        assert await stranger.is_quiet()
        await listener.leaves()
        await stranger.leaves()

    played(scene)


def test_sites_and_permissions_decide_for_each_event(
    told: Any, organization: Organization
) -> None:
    oslo = sites.create_site(organization=organization, name="Oslo", slug="oslo")
    rome = sites.create_site(organization=organization, name="Rome", slug="rome")
    user = factories.user(organization, "operator")
    sites.grant(user.memberships.get(), oslo, "read", by=factories.superuser())
    here, there = (factories.device(organization, site=site) for site in (oslo, rome))
    key = api_keys.create_key(user, name="narrow", scopes=["device:read"])[1]
    everything = bearer(user)

    async def scene() -> None:
        wide, narrow = (
            await Listener(**everything).ready(),
            await Listener(x_api_key=key).ready(),
        )
        for device in (there, here):
            await told(publish, event_for(device, "device.status", "device:read", n=1))
            await told(publish, event_for(device, "audit.new", "audit:read", n=2))
            await told(publish, event_for(device, "config.status", "config:read", n=3))
        assert [(await wide.hears())["data"]["n"] for _ in range(2)] == [1, 3]
        assert (await narrow.hears())["id"] == str(here.pk)
        assert await wide.is_quiet()
        assert await narrow.is_quiet()
        await wide.leaves()
        await narrow.leaves()

    played(scene)


def test_what_belongs_to_people_is_told_to_these_alone(
    told: Any, organization: Organization
) -> None:
    theirs, other = factories.user(organization), factories.user(organization)
    event = Event(
        "network.changed", "network:read", None, 7, has_site=False,
        recipients=frozenset({theirs.pk}),
    )  # fmt: skip
    owner, stranger = bearer(theirs), bearer(other)

    async def scene() -> None:
        listener, deaf = await Listener(**owner).ready(), await Listener(**stranger).ready()
        await told(publish, event)
        heard = await listener.hears()
        assert (heard["id"], "people" in heard) == (7, False)
        assert await deaf.is_quiet()
        await listener.leaves()
        await deaf.leaves()

    played(scene)


def test_a_listener_can_ask_for_less(told: Any, organization: Organization) -> None:
    one, two = factories.device(organization), factories.device(organization)
    headers = bearer(factories.user(organization))

    async def scene() -> None:
        listener = await Listener(**headers).ready()
        await listener.says({"type": "subscribe", "events": ["device.*"], "ids": [str(two.pk)]})
        assert (await listener.hears())["type"] == "subscribed"
        for device in (one, two):
            await told(publish, event_for(device, "config.status", "config:read"))
            await told(publish, event_for(device, "device.status", "device:read"))
        assert (await listener.hears())["id"] == str(two.pk)
        await listener.says({"type": "ping"})
        assert await listener.hears() == {"type": "pong"}
        await listener.says({"type": "subscribe", "events": "device"})
        assert await listener.closes() == kit.BAD_MESSAGE

    played(scene)


def test_commands_and_rollouts_tell_how_far_they_are(
    told: Any, organization: Organization
) -> None:
    device = factories.device(organization, management_ip="127.0.0.1")
    factories.connection(device, factories.credentials(organization))
    headers = bearer(factories.user(organization))

    async def scene() -> None:
        listener = await Listener(**headers).ready()
        command = await told(commands.send, device, type="reboot")
        event = await listener.hears()
        assert (event["type"], event["id"]) == ("command.update", str(command.pk))
        await told(commands.cancel, command)
        assert (await listener.hears())["data"]["status"] == "cancelled"
        await listener.leaves()

    played(scene)


def test_nobody_listens_without_signing_in(
    organization: Organization, monkeypatch: Any
) -> None:
    monkeypatch.setattr(kit, "SECONDS_TO_SIGN_IN", 0.05)

    async def scene() -> None:
        for headers in (
            {"authorization": "Bearer nonsense"},
            {"x_api_key": "mst_nonsense"},
            {},
        ):
            listener = Listener(**headers)
            await listener.connect()
            assert await listener.closes() == kit.NOT_SIGNED_IN
        for message in ({"type": "auth"}, {"type": "auth", "token": "x"}, {"type": "ping"}):
            listener = Listener()
            await listener.connect()
            await listener.says(message)
            assert await listener.closes() == kit.NOT_SIGNED_IN
        for text in ("[]", "{", "[" * 5000):
            listener = Listener()
            await listener.connect()
            await listener.says(text)
            assert await listener.closes() == kit.BAD_MESSAGE
        lost = Listener("/api/v1/ws/nothing")
        assert await lost.connect() != 0

    played(scene)


def test_the_first_message_may_sign_in(organization: Organization) -> None:
    user = factories.user(organization)
    token = sessions.open_session(user).access

    async def scene() -> None:
        listener = Listener()
        await listener.connect()
        await listener.says({"type": "auth", "token": token})
        assert await listener.hears() == {"type": "ready", "user": user.username}
        await listener.leaves()

    played(scene)


def test_a_cookie_is_only_good_for_pages_of_the_portal(
    organization: Organization, client: Any
) -> None:
    user = factories.user(organization)
    client.force_login(user)
    admin = f"{portal.SESSION_COOKIE_NAME}={client.cookies[portal.SESSION_COOKIE_NAME].value}"
    api = f"freesdn_access={sessions.open_session(user).access}"

    async def scene() -> None:
        for cookie in (admin, api):
            own = Listener(cookie=cookie, origin="https://portal.example.org")
            await own.ready()
            await own.leaves()
            for foreign in ({"origin": "https://evil.example"}, {"origin": "null"}, {}):
                listener = Listener(cookie=cookie, **foreign)
                assert await listener.connect() == kit.NOT_PERMITTED

    played(scene)


def test_who_signs_out_or_loses_their_role_hears_no_more(
    told: Any, organization: Organization, monkeypatch: Any
) -> None:
    monkeypatch.setattr(kit, "CHECK_SECONDS", 0.05)
    user = factories.user(organization)
    tokens = sessions.open_session(user)
    device: Device = factories.device(organization)
    other = bearer(user)

    async def scene() -> None:
        listener = await Listener(authorization=f"Bearer {tokens.access}").ready()
        demoted = await Listener(**other).ready()
        await sync_to_async(user.memberships.all().delete)()
        await asyncio.sleep(0.2)
        await told(publish, event_for(device, "device.status", "device:read"))
        assert await demoted.is_quiet()
        session = await Session.objects.aget(pk=tokens.session.pk)
        await sync_to_async(sessions.revoke)(session, because="signed out")
        assert await listener.closes() == kit.NOT_SIGNED_IN
        await demoted.leaves()

    played(scene)


def test_who_reads_too_slowly_is_dropped_and_the_others_go_on(
    told: Any, organization: Organization, monkeypatch: Any
) -> None:
    monkeypatch.setattr("controller.accounts.api.events.views.MOST_WAITING", 1)
    device = factories.device(organization)
    headers = bearer(factories.user(organization))

    async def scene() -> None:
        listener = await Listener(**headers).ready()
        await told(
            publish, *(event_for(device, "device.status", "device:read") for _ in range(200))
        )
        assert await listener.closes() == kit.TOO_SLOW

    played(scene)


@pytest.mark.django_db
def test_nothing_is_read_or_sent_while_nobody_listens(
    organization: Organization, django_assert_num_queries: Any, settings: Any,
    django_capture_on_commit_callbacks: Captured,
) -> None:  # fmt: skip
    device = factories.device(organization)
    with django_capture_on_commit_callbacks() as callbacks:
        record_observations([Observation(device.pk, "online")])
    with django_assert_num_queries(0):
        callbacks[0]()
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    with django_capture_on_commit_callbacks(execute=True):
        publish(Event("device.status", "device:read", organization.pk, device.pk))


class Door:
    """A socket that can be closed, and says with which code."""

    code = 0

    async def close(self, code: int, reason: str = "") -> None:
        self.code = code


@pytest.mark.parametrize(("failures", "code"), [(1, 0), (3, 0), (4, kit.TRY_AGAIN)])
def test_a_database_that_is_away_for_a_moment_ends_no_check_of_a_socket(
    failures: int, code: int, monkeypatch: Any
) -> None:
    monkeypatch.setattr(kit, "CHECK_SECONDS", 0.001)
    door, asked = Door(), []

    async def check() -> bool:
        asked.append(1)
        if len(asked) <= failures:
            raise OperationalError("database is locked")
        return len(asked) < failures + 5

    async def scene() -> None:
        await kit.keep_checking(door, check)  # type: ignore[arg-type]

    played(scene)
    assert door.code == code
    assert len(asked) == (failures if code else failures + 5)
