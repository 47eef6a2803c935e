"""Waiting for something that another process does, and telling that it is done."""

from collections.abc import Callable
from logging import getLogger
from time import monotonic

from redis.exceptions import RedisError

from controller.base.database import release_connections
from controller.base.redis import quick_client

# It is looked at again after so long, in case that nobody told.
SLICE_SECONDS = 1
KEPT_SECONDS = 60

log = getLogger(__name__)


def tell(name: str) -> None:
    try:
        with quick_client().pipeline(transaction=False) as pipe:
            pipe.rpush(f"muster:done:{name}", 1)
            pipe.expire(f"muster:done:{name}", KEPT_SECONDS)
            pipe.execute()
    except RedisError as error:
        log.warning("Redis is away, nobody hears that %s is done: %s", name, error)


def wait(name: str, is_done: Callable[[], bool], *, seconds: float) -> bool:
    """Whether it was done within that time. Without Redis nobody waits."""
    until = monotonic() + seconds
    redis = quick_client()
    while not is_done():
        release_connections()
        if monotonic() >= until:
            return False
        try:
            redis.blpop([f"muster:done:{name}"], timeout=SLICE_SECONDS)
        except RedisError as error:
            log.warning("Redis is away, %s is not waited for: %s", name, error)
            return is_done()
    return True
