"""Mutual exclusion across processes by Redis locks."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging import getLogger

from django.utils.translation import gettext
from redis.exceptions import LockError, RedisError

from controller.base.errors import Conflict
from controller.base.redis import quick_client

log = getLogger(__name__)


@contextmanager
def turn(name: str, *, seconds: float, lasts: float | None = None) -> Iterator[None]:
    """Hold the named lock; raise Conflict if it is not free within `seconds`.

    It is lost after ``lasts`` seconds, by default soon after the same time.

    If Redis is unavailable, the body runs without the lock.
    """
    lock = quick_client().lock(name, timeout=(lasts or seconds) + 1, blocking_timeout=seconds)
    try:
        held = lock.acquire()
    except RedisError as error:
        log.warning("Redis does not answer, %s is not held: %s", name, error)
        held = None
    if held is False:
        raise Conflict(gettext("Somebody else is at it still: try again in a moment."))
    try:
        yield
    finally:
        # The lock may have expired and been taken by another process.
        with suppress(LockError, RedisError):
            if held:
                lock.release()
