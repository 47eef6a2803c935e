"""Wait for completion by another process, and signal it."""

from collections.abc import Callable
from logging import getLogger
from time import monotonic

from redis.exceptions import RedisError

from controller.base.database import release_connections
from controller.base.redis import quick_client

# Interval at which the condition is checked again in case a signal was lost.
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
    """Return whether `is_done` became true within `seconds`; does not wait without Redis."""
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
