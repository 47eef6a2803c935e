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

from controller.base.redis_sentinel import async_master, master, names_sentinels

QUICK_SECONDS = 2.0
CONNECT_SECONDS = 2.0


@lru_cache(maxsize=8)
def _shared(url: str, seconds: float, *, decodes: bool) -> Redis:
    return _client(
        url,
        decode_responses=decodes,
        socket_timeout=seconds,
        socket_connect_timeout=CONNECT_SECONDS,
    )


def _client(url: str, **options: Any) -> Redis:
    return master(url, **options) if names_sentinels(url) else Redis.from_url(url, **options)


def _async_client(url: str, **options: Any) -> "AsyncRedis":
    if names_sentinels(url):
        return async_master(url, **options)
    return AsyncRedis.from_url(url, **options)


def quick_client(seconds: float = QUICK_SECONDS) -> Redis:
    """Return the process-wide client for short queries; replies are text."""
    return _shared(settings.REDIS_URL, seconds, decodes=True)


def broker_client(seconds: float = QUICK_SECONDS) -> Redis:
    """Return the process-wide client for the broker's lists; replies are text."""
    url = settings.MUSTER_BROKER_URL.replace("redis+socket://", "unix://")
    return _shared(url, seconds, decodes=True)


def waiting_client() -> Redis:
    """Return a new client for blocking reads, limited only by the command's timeout.

    The caller closes the client. Replies are bytes.
    """
    return _client(settings.REDIS_URL, **_patient())


def async_client(seconds: float = QUICK_SECONDS) -> "AsyncRedis":
    """Return a new asynchronous client for short queries; replies are text.

    The caller keeps the client for its event loop and closes it.
    """
    return _async_client(
        settings.REDIS_URL,
        decode_responses=True,
        socket_timeout=seconds,
        socket_connect_timeout=CONNECT_SECONDS,
    )


def async_waiting_client() -> "AsyncRedis":
    """Return a new asynchronous client for blocking reads; replies are bytes."""
    return _async_client(settings.REDIS_URL, **_patient())


def _patient() -> dict[str, Any]:
    options: dict[str, Any] = {
        "socket_timeout": None,
        "socket_connect_timeout": CONNECT_SECONDS,
    }
    if not settings.REDIS_URL.startswith("unix:"):
        # Without a timeout, the kernel notices a machine that has vanished.
        options["socket_keepalive"] = True
    return options
