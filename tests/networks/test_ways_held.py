"""Questions of agents that are held by the web server until there is something new."""

import asyncio
import time
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from controller.base.redis import quick_client
from controller.dialects.ways_fast_path import WaysFastPath
from networks.overlay.rules.direct_path_signals import CHANNEL

NODE = 7
SECONDS = 30


class Django:
    """Answers as the portal does: nothing new, until there is."""

    def __init__(self) -> None:
        self.news = b""
        self.asked = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b"seen=x"
        self.asked += 1
        waits = [(b"muster-wait", f"{NODE} {SECONDS}".encode())]
        status, headers = (200, []) if self.news else (204, waits)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": self.news})


class Client:
    def __init__(self) -> None:
        self.answer: list[Any] = []
        self.leaves = asyncio.Event()
        self.has_sent = False

    async def receive(self) -> Any:
        if not self.has_sent:
            self.has_sent = True
            return {"type": "http.request", "body": b"seen=x", "more_body": False}
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.answer.append(message)

    def ask(self, path: WaysFastPath, query: bytes = b"wait=1") -> "asyncio.Task[None]":
        scope = {
            "type": "http", "method": "POST", "path": "/api/join/ways/",
            "query_string": query, "headers": [],
        }  # fmt: skip
        return asyncio.create_task(path(scope, self.receive, self.send))


async def until_held(path: WaysFastPath) -> None:
    while not path.waking.count:
        await asyncio.sleep(0.01)


def publish(text: str) -> int:
    return int(quick_client().publish(CHANNEL, text))  # type: ignore[arg-type]


def test_a_question_is_answered_as_soon_as_its_node_is_woken() -> None:
    @async_to_sync
    async def story() -> None:
        django, client = Django(), Client()
        path = WaysFastPath(django)
        question = client.ask(path)
        await until_held(path)
        django.news = b"ways new\n"
        began = time.monotonic()
        while not question.done():
            # The listener may still be on its way to Redis.
            await asyncio.to_thread(publish, f"3 {NODE}")
            await asyncio.sleep(0.05)
        assert time.monotonic() - began < SECONDS
        assert client.answer[0]["status"] == 200
        assert client.answer[1]["body"] == b"ways new\n"
        assert django.asked == 2
        assert path.waking.count == 0

    story()


def test_a_question_whose_time_is_over_costs_the_portal_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("controller.dialects.ways_fast_path.MOST_SECONDS", 0.1)

    @async_to_sync
    async def story() -> None:
        django, client = Django(), Client()
        await client.ask(WaysFastPath(django))
        assert client.answer[0]["status"] == 204
        assert django.asked == 1

    story()


def test_a_question_whose_agent_has_left_is_not_asked_again() -> None:
    @async_to_sync
    async def story() -> None:
        django, client = Django(), Client()
        path = WaysFastPath(django)
        question = client.ask(path)
        await until_held(path)
        client.leaves.set()
        await question
        assert client.answer == []
        assert django.asked == 1
        while path.waking.count:
            await asyncio.sleep(0.01)

    story()


def test_what_happened_between_the_question_and_the_waiting_is_not_missed() -> None:
    @async_to_sync
    async def story() -> None:
        path = WaysFastPath(Django())
        before = time.monotonic()
        path.waking.wake([NODE])
        await asyncio.wait_for(path.waking.wait(NODE, before, SECONDS), SECONDS / 2)

    story()


@pytest.mark.parametrize("query", [b"", b"wait=0"])
def test_a_report_is_answered_at_once(query: bytes) -> None:
    @async_to_sync
    async def story() -> None:
        client = Client()
        await client.ask(WaysFastPath(Django()), query)
        assert client.answer[0]["status"] == 204

    story()
