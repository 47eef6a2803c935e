"""Health of the portal's dependencies: database, Redis and workers."""

import time
from functools import lru_cache

from django.conf import settings
from django.db import connection
from django.db.utils import Error as DatabaseError
from redis import Redis
from redis.exceptions import RedisError

PATIENCE_SECONDS = 1.0
HEARTBEAT = "muster:worker"
# Seconds without a heartbeat after which the worker counts as gone.
HEARTBEAT_SECONDS = 30


@lru_cache(maxsize=2)
def _redis(url: str) -> Redis:
    return Redis.from_url(
        url, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS
    )


def record_heartbeat() -> None:
    """Record the worker's heartbeat."""
    _redis(settings.REDIS_URL).set(HEARTBEAT, int(time.time()), ex=HEARTBEAT_SECONDS)


def components() -> dict[str, str]:
    """Return ``healthy`` or ``unhealthy`` per component."""
    found = {"database": _database(), "redis": False, "celery": False}
    try:
        found["celery"] = bool(_redis(settings.REDIS_URL).exists(HEARTBEAT))
        found["redis"] = True
    except (RedisError, OSError):
        pass
    return {name: "healthy" if good else "unhealthy" for name, good in found.items()}


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def queue_lengths() -> dict[str, int]:
    """Return the number of queued messages per queue; empty if the broker is down."""
    names = [queue.name for queue in settings.CELERY_TASK_QUEUES]
    url = settings.CELERY_BROKER_URL.replace("redis+socket://", "unix://")
    try:
        pipe = _redis(url).pipeline(transaction=False)
        for name in names:
            pipe.llen(name)
        return dict(zip(names, pipe.execute(), strict=True))
    except (RedisError, OSError):
        return {}
