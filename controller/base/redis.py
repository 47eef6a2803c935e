"""Redis clients with explicit timeouts: short queries and blocking reads.

redis-py gives every client a read timeout of its own (5 seconds since version 8), and a
read
that waits longer for a message fails. So no client here is made without an explicit
timeout:
short queries get two seconds, blocking reads as long as the command asks for.
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
    """Return the process-wide client for short queries; replies are text."""
    return _shared(settings.REDIS_URL, seconds, decodes=True)


def broker_client(seconds: float = QUICK_SECONDS) -> Redis:
    """Return the process-wide client for the broker's lists; replies are text."""
    url = settings.CELERY_BROKER_URL.replace("redis+socket://", "unix://")
    return _shared(url, seconds, decodes=True)


def waiting_client() -> Redis:
    """Return a new client for blocking reads, limited only by the command's timeout.

    The caller closes the client. Replies are bytes.
    """
    return Redis.from_url(settings.REDIS_URL, **_patient())


def async_client(seconds: float = QUICK_SECONDS) -> "AsyncRedis":
    """Return a new asynchronous client for short queries; replies are text.

    The caller keeps the client for its event loop and closes it.
    """
    return AsyncRedis.from_url(
        settings.REDIS_URL,
        decode_responses=True,
        socket_timeout=seconds,
        socket_connect_timeout=CONNECT_SECONDS,
    )


def async_waiting_client() -> "AsyncRedis":
    """Return a new asynchronous client for blocking reads; replies are bytes."""
    return AsyncRedis.from_url(settings.REDIS_URL, **_patient())


def _patient() -> dict[str, Any]:
    options: dict[str, Any] = {
        "socket_timeout": None,
        "socket_connect_timeout": CONNECT_SECONDS,
    }
    if not settings.REDIS_URL.startswith("unix:"):
        # Without a timeout, the kernel notices a machine that has vanished.
        options["socket_keepalive"] = True
    return options
