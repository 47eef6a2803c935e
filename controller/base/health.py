"""Health of the portal's dependencies: database, Redis, the workers of each queue, and beat."""

import logging
import time
from collections.abc import Iterable
from typing import cast

from django.conf import settings
from django.db import connection
from django.db.utils import Error as DatabaseError
from redis.exceptions import RedisError

from controller.base.redis import broker_client, quick_client

PATIENCE_SECONDS = 1.0
WORKERS = "muster:workers"
BEAT = "muster:beat"
PROBE = "muster:health"
HEARTBEAT_EVERY = 5.0
# Seconds without a heartbeat after which a worker, or beat, counts as gone.
HEARTBEAT_SECONDS = 30

log = logging.getLogger(__name__)


def record_workers(queues: Iterable[str]) -> None:
    """Record that a worker listens to these queues."""
    now = int(time.time())
    try:
        quick_client(PATIENCE_SECONDS).hset(WORKERS, mapping=dict.fromkeys(queues, now))
    except (RedisError, OSError) as error:
        log.warning("Redis is away, the worker's heartbeat is not recorded: %s", error)


def record_beat() -> None:
    """Record that beat sent a task and a worker ran it."""
    quick_client(PATIENCE_SECONDS).set(BEAT, int(time.time()))


def heartbeats() -> dict[str, float]:
    """Return the age in seconds of each queue's last heartbeat; infinite if there is none.

    Raises RedisError while Redis is away.
    """
    found = cast(dict[str, str], quick_client(PATIENCE_SECONDS).hgetall(WORKERS))
    return {name: _age(found.get(name)) for name in _queues()}


def beat_age() -> float:
    """Return for how many seconds beat has been silent. Raises RedisError."""
    return _age(cast(str | None, quick_client(PATIENCE_SECONDS).get(BEAT)))


def _age(stamp: str | None) -> float:
    # A clock that was set back makes a stamp of the future, which is no sign of life.
    return abs(time.time() - float(stamp)) if stamp else float("inf")


def _queues() -> list[str]:
    return [queue.name for queue in settings.CELERY_TASK_QUEUES]


def queues() -> dict[str, str]:
    """Return ``healthy`` or ``unhealthy`` per queue: whether a worker listens to it."""
    try:
        ages = heartbeats()
    except (RedisError, OSError):
        ages = dict.fromkeys(_queues(), float("inf"))
    return {name: _word(age < HEARTBEAT_SECONDS) for name, age in ages.items()}


def components() -> dict[str, str]:
    """Return ``healthy`` or ``unhealthy`` per component."""
    served = queues()
    return {
        "database": _word(_database()),
        "redis": _word(_redis()),
        "celery": _word(all(state == "healthy" for state in served.values())),
        "beat": _word(_beats()),
    }


def _word(is_good: object) -> str:
    return "healthy" if is_good else "unhealthy"


def _redis() -> bool:
    """Return whether Redis takes writes: with a full disk it still answers reads."""
    try:
        quick_client(PATIENCE_SECONDS).set(PROBE, 1, ex=HEARTBEAT_SECONDS)
    except (RedisError, OSError):
        return False
    return True


def _beats() -> bool:
    try:
        return beat_age() < HEARTBEAT_SECONDS
    except (RedisError, OSError):
        return False


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def queue_lengths() -> dict[str, int]:
    """Return the number of queued messages per queue; empty if the broker is down."""
    names = _queues()
    try:
        pipe = broker_client(PATIENCE_SECONDS).pipeline(transaction=False)
        for name in names:
            pipe.llen(name)
        return dict(zip(names, pipe.execute(), strict=True))
    except (RedisError, OSError):
        return {}
