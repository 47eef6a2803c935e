"""Redis clients: blocking reads have no hidden timeout."""

import asyncio
import threading
from pathlib import Path

import pytest
from django.conf import settings
from redis.exceptions import TimeoutError as RedisTimeoutError

from controller.base.redis import async_waiting_client, quick_client, waiting_client

ROOT = Path(__file__).parents[2]
# Longer than redis-py's default read timeout.
IDLE_SECONDS = 6.0


def push_after(seconds: float, name: str) -> threading.Timer:
    timer = threading.Timer(seconds, lambda: quick_client().rpush(name, "here"))
    timer.start()
    return timer


def test_blocking_reads_outlast_the_timeout_of_the_library() -> None:
    """The thread's and the event loop's client wait at the same time."""

    async def wait() -> object:
        async with async_waiting_client() as redis:
            return list(await redis.blpop(["b"]))

    push_after(IDLE_SECONDS, "a")
    push_after(IDLE_SECONDS, "b")
    with waiting_client() as redis:
        assert list(redis.blpop(["a"])) == [b"a", b"here"]
    assert asyncio.run(wait()) == [b"b", b"here"]


def test_a_subscription_stays_open_while_nothing_is_said() -> None:
    async def listen() -> bytes:
        async with async_waiting_client() as redis, redis.pubsub() as pubsub:
            await pubsub.subscribe("quiet")
            threading.Timer(
                IDLE_SECONDS, lambda: quick_client().publish("quiet", "at last")
            ).start()
            async for message in pubsub.listen():
                if message["type"] == "message":
                    return bytes(message["data"])
        return b""

    assert asyncio.run(listen()) == b"at last"


def test_a_quick_question_gives_up() -> None:
    with pytest.raises(RedisTimeoutError):
        quick_client(0.1).blpop(["nothing"])


def test_the_quick_client_is_one_for_the_process() -> None:
    assert quick_client() is quick_client()
    assert settings.REDIS_URL.startswith("unix://")


def test_clients_are_made_in_one_place_alone() -> None:
    makers = [
        str(path.relative_to(ROOT))
        for top in ("controller", "networks", "supervisor_proxy", "pki", "geo")
        for path in (ROOT / top).rglob("*.py")
        if "Redis.from_url(" in path.read_text()
    ]
    assert makers == ["controller/base/redis.py"]
