"""Request handling: polls answered from Redis, all others passed to Django."""

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest

from controller.base.redis import quick_client
from controller.devices.drivers import agent_cache
from controller.dialects.checksum_fast_path import ChecksumFastPath
from controller.waiting_rooms import WaitingRoom, build_rooms
from controller.wsgi_bridge import Bridge

DEVICE = UUID("85657991-85e0-4c7b-a332-6cb0f2ec9ce2")
GONE = {"type": "http.disconnect"}
WHOLE = {"type": "http.request", "body": b""}
SCOPE = {
    "type": "http", "method": "GET", "path": "/", "query_string": b"",
    "http_version": "1.1", "headers": [],
}  # fmt: skip


def messages(*sent: dict[str, Any]) -> Callable[[], Any]:
    """Return the receive callable of a client that sends these and then idles."""
    left = list(sent)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return receive


def limit(path: str) -> int:
    return 1024


def call(
    application: Any, path: str = "/", *, method: str = "GET", body: bytes = b"", **scope: Any
) -> tuple[int, dict[str, str], list[bytes]]:
    """Return status, headers and body parts, as received by a server."""
    sent: list[dict[str, Any]] = []
    parts = [body[:3], body[3:]] if body else [b""]

    async def receive() -> dict[str, Any]:
        if not parts:
            await asyncio.Event().wait()  # the client stays connected and sends nothing more
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asked, _, query = path.partition("?")
    whole = {
        "type": "http",
        "method": method,
        "path": asked,
        "query_string": query.encode(),
        "http_version": "1.1",
        "headers": [],
        "client": ("192.0.2.7", 1234),
        "server": ("portal.example.org", 443),
        "scheme": "https",
    } | scope
    asyncio.run(application(whole, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, [message["body"] for message in sent[1:]]


def callers(server: socket.socket) -> int:
    """Return the number of new connections since the last call."""
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


def django(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Stand in for Django and record the request."""
    start_response("200 OK", [("X-Asked", environ["PATH_INFO"])])
    return [b"django"]


class TestPolls:
    @pytest.fixture(autouse=True)
    def _published(self) -> None:
        agent_cache.publish([agent_cache.Record(DEVICE, "the-key", "c" * 32, "")])

    def poll(self, query: str, device: str = DEVICE.hex, **scope: Any) -> bytes:
        application = ChecksumFastPath(Bridge(django, threads=1, body_limit=limit))
        _, _, parts = call(application, f"/controller/checksum/{device}/?{query}", **scope)
        return b"".join(parts)

    def test_a_known_poll_is_answered_from_redis(self) -> None:
        assert self.poll("key=the-key") == b"c" * 32
        assert self.poll("key=the-key", str(DEVICE).upper()) == b"c" * 32

    @pytest.mark.parametrize(
        "query", ["key=wrong", "", "key=the-key&management_ip=10.0.0.1", "key=the-key&x=y"]
    )
    def test_whatever_is_unusual_is_for_django(self, query: str) -> None:
        assert self.poll(query) == b"django"

    def test_a_device_without_a_record_is_for_django(self) -> None:
        assert self.poll("key=the-key", uuid4().hex) == b"django"
        assert self.poll("key=the-key", method="POST") == b"django"

    def test_polls_that_come_at_once_are_read_at_once(self) -> None:
        application = ChecksumFastPath(Bridge(django, threads=1, body_limit=limit))

        async def many() -> list[Any]:
            return await asyncio.gather(*(application.record(DEVICE.hex) for _ in range(50)))

        redis = quick_client()
        redis.config_resetstat()
        found = asyncio.run(many())
        assert {record[1] for record in found} == {"c" * 32}
        asked: Any = redis.info("commandstats")
        assert asked["cmdstat_mget"]["calls"] == 1

    def test_django_answers_while_redis_is_away(self, settings: Any) -> None:
        settings.REDIS_URL = "unix:///nowhere/redis.sock"
        assert self.poll("key=the-key") == b"django"

    def test_django_answers_while_redis_is_slow_and_soon_without_asking_it(
        self, settings: Any
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            settings.REDIS_URL = f"redis://127.0.0.1:{mute.getsockname()[1]}/0"
            application = ChecksumFastPath(Bridge(django, threads=1, body_limit=limit))
            path = f"/controller/checksum/{DEVICE.hex}/?key=the-key"
            mute.setblocking(False)
            asked = []
            for _ in range(2):
                assert b"".join(call(application, path)[2]) == b"django"
                asked.append(callers(mute))
        assert asked[0]
        assert not asked[1]

    def test_it_is_noted_who_asked_and_from_where(self) -> None:
        application = ChecksumFastPath(Bridge(django, threads=1, body_limit=limit))

        async def poll_and_flush() -> None:
            scope = {"client": ("192.0.2.9", 1)}
            application.redis = None
            await application.record(DEVICE.hex)
            application.record_seen(DEVICE.hex, scope)
            assert application.flusher is not None
            await application.flusher

        asyncio.run(poll_and_flush())
        (at, address) = agent_cache.take_seen()[DEVICE]
        assert address == "192.0.2.9"
        assert at.tzinfo is not None
        assert agent_cache.take_seen(), "kept until they are written"
        agent_cache.discard_taken()
        assert agent_cache.take_seen() == {}


class TestBridge:
    def test_a_request_arrives_whole(self) -> None:
        seen: dict[str, Any] = {}

        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            seen.update(environ, body=environ["wsgi.input"].read())
            start_response("201 Created", [("X-A", "1"), ("X-A", "2")])
            return [b"a", b"b"]

        headers = [
            (b"content-type", b"text/plain"),
            (b"content-length", b"10"),
            (b"x-real-name", b"yes"),
            (b"x_real_name", b"forged"),
            (b"cookie", b"a=1"),
            (b"cookie", b"b=2"),
        ]
        status, _, parts = call(
            Bridge(application, threads=1, body_limit=limit),
            "/caf\u00e9/?x=1",
            method="POST",
            body=b"0123456789",
            headers=headers,
        )
        assert (status, b"".join(parts)) == (201, b"ab")
        assert seen["body"] == b"0123456789"
        assert seen["PATH_INFO"].encode("latin-1").decode() == "/caf\u00e9/"
        assert (seen["QUERY_STRING"], seen["REMOTE_ADDR"]) == ("x=1", "192.0.2.7")
        assert (seen["HTTP_X_REAL_NAME"], seen["HTTP_COOKIE"]) == ("yes", "a=1; b=2")
        assert (seen["wsgi.url_scheme"], seen["CONTENT_TYPE"]) == ("https", "text/plain")

    def test_a_stream_is_sent_as_it_comes_and_closed(self) -> None:
        closed = []

        class Stream:
            def __iter__(self) -> Any:
                yield from (b"one", b"two")

            def close(self) -> None:
                closed.append(True)

        def application(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [])
            return Stream()

        _, _, parts = call(Bridge(application, threads=1, body_limit=limit))
        assert [part for part in parts if part] == [b"one", b"two"]
        assert closed == [True]

    def test_an_answer_is_closed_when_the_client_has_gone(self) -> None:
        closed = []

        class Stream:
            def __iter__(self) -> Any:
                yield from (b"one", b"two")

            def close(self) -> None:
                closed.append(True)

        def application(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [])
            return Stream()

        async def gone(message: Any) -> None:
            raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            asyncio.run(
                Bridge(application, threads=1, body_limit=limit)(SCOPE, messages(WHOLE), gone)
            )
        assert closed == [True]

    def test_a_stream_without_data_ends_when_the_client_has_gone(self) -> None:
        events = []

        class Stream:
            def __iter__(self) -> Any:
                yield b"one"
                while True:
                    yield b""  # a second of silence

            def close(self) -> None:
                events.append("closed")

        def application(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [])
            return Stream()

        async def send(message: Any) -> None:
            events.append(message.get("body"))

        bridge = Bridge(application, threads=1, body_limit=limit)
        asyncio.run(bridge(SCOPE, messages(WHOLE, {"type": "http.disconnect"}), send))
        assert events[-1] == "closed"
        assert set(events) <= {None, b"one", "closed"}, "empty parts are not sent"

    @pytest.mark.parametrize(
        "sent",
        [
            [{"type": "http.request", "body": b"half", "more_body": True}, GONE],
            [{"type": "http.request", "body": b"half", "more_body": False}],
            [GONE],
        ],
        ids=["the client left", "shorter than declared", "nothing came"],
    )
    def test_a_request_that_was_cut_off_is_not_carried_out(self, sent: list[Any]) -> None:
        done: list[Any] = []

        def application(environ: dict[str, Any], start_response: Any) -> Any:
            done.append(environ)
            start_response("200 OK", [])
            return [b""]

        async def send(message: Any) -> None:
            done.append(message)

        scope = SCOPE | {"method": "POST", "headers": [(b"content-length", b"5000")]}
        bridge = Bridge(application, threads=1, body_limit=lambda _path: 10_000)
        asyncio.run(bridge(scope, messages(*sent), send))
        assert done == []


class TestWaitingRooms:
    """Requests that wait for other machines do not block the threads of others."""

    async def ask(self, bridge: Bridge, path: str, caller: str = "a") -> int:
        status = []

        async def send(message: Any) -> None:
            status.append(message.get("status"))

        scope = SCOPE | {"path": path, "headers": [(b"authorization", caller.encode())]}
        await bridge(scope, messages(WHOLE), send)
        return int(status[0])

    def bridge(self, answers: threading.Event, **limits: float) -> Bridge:
        def application(environ: dict[str, Any], start_response: Any) -> Any:
            if environ["PATH_INFO"].startswith("/wait/"):
                answers.wait(20)
            start_response("200 OK", [])
            return [b""]

        def busy(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("503 Service Unavailable", [("Retry-After", "5")])
            return [b""]

        room = WaitingRoom(
            "devices",
            [re.compile(r"GET /wait/(?P<target>\w+)")],
            **({"threads": 4, "per_caller": 4, "per_target": 4} | limits),
        )
        return Bridge(application, threads=1, body_limit=limit, rooms=[room], busy=busy)

    def statuses(
        self, *requests: tuple[str, str], then: str = "", **limits: float
    ) -> list[int]:
        """Send all requests at once.

        Returns statuses, those answered before the devices first.
        """
        answers = threading.Event()
        bridge = self.bridge(answers, **limits)

        async def all_of_them() -> list[int]:
            asked = [asyncio.ensure_future(self.ask(bridge, *one)) for one in requests]
            early = []
            if then:
                early.append(await self.ask(bridge, then))
            room = bridge.rooms[0]
            while sum(task.done() for task in asked) < len(asked) - room.inside - len(
                room.line
            ):
                await asyncio.sleep(0)
            answers.set()
            return early + list(await asyncio.gather(*asked))

        return asyncio.run(all_of_them())

    def test_a_full_room_refuses_at_once_and_others_are_answered(self) -> None:
        many = [(f"/wait/{number}", f"caller-{number}") for number in range(6)]
        assert self.statuses(*many, then="/health") == [200, 200, 200, 200, 200, 503, 503]

    def test_one_caller_has_a_share_of_a_room(self) -> None:
        asked = [("/wait/1", "a"), ("/wait/2", "a"), ("/wait/3", "a"), ("/wait/4", "b")]
        assert self.statuses(*asked, per_caller=2) == [200, 200, 503, 200]

    def test_one_target_has_a_share_of_a_room(self) -> None:
        asked = [("/wait/1", "a"), ("/wait/1", "b"), ("/wait/2", "c")]
        assert self.statuses(*asked, per_target=1) == [200, 503, 200]

    def test_who_stands_in_line_is_let_in_when_somebody_leaves(self) -> None:
        asked = [("/wait/1", "a")] * 6
        line = {"per_caller": 2, "patience": 20, "longest": 3}
        assert self.statuses(*asked, **line) == [200, 200, 200, 200, 200, 503]

    def test_who_stood_in_line_for_too_long_is_refused(self) -> None:
        answers = threading.Event()
        bridge = self.bridge(answers, per_target=1, patience=0.01, longest=5)

        async def both() -> list[int]:
            first = asyncio.ensure_future(self.ask(bridge, "/wait/1"))
            while not bridge.rooms[0].inside:
                await asyncio.sleep(0)
            second = await self.ask(bridge, "/wait/1", "b")
            answers.set()
            return [second, await first]

        assert asyncio.run(both()) == [503, 200]
        assert not bridge.rooms[0].line
        assert not bridge.rooms[0].inside

    def test_who_leaves_the_line_leaves_no_place_taken(self) -> None:
        answers = threading.Event()
        bridge = self.bridge(answers, per_target=1, patience=20, longest=5)

        async def left() -> int:
            first = asyncio.ensure_future(self.ask(bridge, "/wait/1"))
            second = asyncio.ensure_future(self.ask(bridge, "/wait/1", "b"))
            while not bridge.rooms[0].line:
                await asyncio.sleep(0)
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
            answers.set()
            await first
            return await self.ask(bridge, "/wait/1", "b")

        assert asyncio.run(left()) == 200
        assert not bridge.rooms[0].callers

    @pytest.mark.parametrize(
        ("request_line", "name"),
        [
            (f"GET /api/v1/gateways/{DEVICE}/live/openwrt.dns.override/", "gateways"),
            (f"POST /api/v1/gateways/{DEVICE}/check/", "gateways"),
            (f"GET /api/v1/gateway-vpn/changes/{DEVICE}/diff/", "gateways"),
            (f"POST /api/v1/gateway-openwrt-dhcp/{DEVICE}/changes/x/", "gateway-changes"),
            (f"POST /api/v1/gateway-vpn/changes/{DEVICE}/apply/", "gateway-changes"),
            (f"GET /api/v1/gateway-openwrt-dhcp/{DEVICE}/changes/", None),
            (f"GET /api/v1/controller/device/{DEVICE}/hassio/core/logs/follow", "streams"),
            (f"GET /api/v1/controller/device/{DEVICE}/hassio/core/info", "supervisors"),
            (f"GET /api/v1/controller/device/{DEVICE}/", None),
            ("POST /supervisor/v1/reboot", "supervisors"),
            ("POST /api/v1/discovery/fingerprint/", "services"),
            ("GET /api/v1/controller/location/geocode/", "services"),
            ("GET /api/v1/controller/vpn/", None),
            ("POST /api/v1/users/token/", None),
            ("GET /controller/checksum/x/", None),
            ("GET /health", None),
        ],
    )
    def test_who_waits_for_a_machine_is_in_the_room_of_its_kind(
        self, request_line: str, name: str | None
    ) -> None:
        rooms = (one for one in build_rooms(4) if one.target_of(request_line) is not None)
        found = next(rooms, None)
        assert (found and found.name) == name


def test_django_is_told_the_path_as_it_came() -> None:
    """An encoded slash is lost in the decoded path, so the raw path is passed on."""

    def tells(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["RAW_PATH"].encode()]

    application = Bridge(tells, threads=1, body_limit=limit)
    _, _, parts = call(application, "/a/b", raw_path=b"/a%2fb")
    assert b"".join(parts) == b"/a%2fb"
