"""Clients of Redis, each with the patience that its kind of question needs.

redis-py gives every client a read timeout of its own (5 seconds since version 8), and a read
that waits longer for a message ends in an error. So no client here is made without an explicit
timeout: quick questions get two seconds, waiting reads get as long as they ask for.
"""

from functools import lru_cache
from typing import Any

from django.conf import settings
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

QUICK_SECONDS = 2.0
CONNECT_SECONDS = 2.0


@lru_cache(maxsize=8)
def _shared(url: str, seconds: float, *, decodes: bool) -> Redis:
    return Redis.from_url(
        url,
        decode_responses=decodes,
        socket_timeout=seconds,
        socket_connect_timeout=CONNECT_SECONDS,
    )


def quick_client(seconds: float = QUICK_SECONDS) -> Redis:
    """Return the client of this process for short questions; answers are text."""
    return _shared(settings.REDIS_URL, seconds, decodes=True)


def broker_client(seconds: float = QUICK_SECONDS) -> Redis:
    """Return the client of this process for the broker's own lists; answers are text."""
    url = settings.CELERY_BROKER_URL.replace("redis+socket://", "unix://")
    return _shared(url, seconds, decodes=True)


def waiting_client() -> Redis:
    """Return a new client for blocking reads: only the command's own timeout ends them.

    The caller closes the client. Answers are bytes.
    """
    return Redis.from_url(settings.REDIS_URL, **_patient())


def async_client(seconds: float = QUICK_SECONDS) -> "AsyncRedis":
    """Return a new asynchronous client for short questions; answers are text.

    The caller keeps the client for its event loop and closes it.
    """
    return AsyncRedis.from_url(
        settings.REDIS_URL,
        decode_responses=True,
        socket_timeout=seconds,
        socket_connect_timeout=CONNECT_SECONDS,
    )


def async_waiting_client() -> "AsyncRedis":
    """Return a new asynchronous client for blocking reads and subscriptions; answers are bytes."""
    return AsyncRedis.from_url(settings.REDIS_URL, **_patient())


def _patient() -> dict[str, Any]:
    return {"socket_timeout": None, "socket_connect_timeout": CONNECT_SECONDS}
