"""Circuit breaker: a target that just failed to answer is refused at once for a while.

Polls and requests share the state through Redis. While Redis is away, every call is tried.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from redis.exceptions import RedisError

from controller.base.errors import TimedOut, Unreachable
from controller.base.redis import quick_client

# How long requests are refused at once, unless a poll gives the time of its next attempt.
PAUSE_SECONDS = 15.0

log = logging.getLogger(__name__)


def open_circuit(target: str, error: Exception, *, seconds: float = PAUSE_SECONDS) -> None:
    """Record for this many seconds that a target did not answer, with the error's text."""
    if seconds <= 0:
        return
    told = {
        "said": str(error),
        "until": time.time() + seconds,
        "silent": isinstance(error, TimedOut),
    }
    try:
        quick_client().set(_key(target), json.dumps(told), px=int(seconds * 1000))
    except (RedisError, OSError) as problem:
        log.warning("Redis is away, the failure of %s is not recorded: %s", target, problem)


def close_circuit(target: str) -> None:
    """Delete the record of a target that answers again."""
    try:
        quick_client().delete(_key(target))
    except (RedisError, OSError) as problem:
        log.warning("Redis is away, the recovery of %s is not recorded: %s", target, problem)


def refusal_of(target: str, *, code: str = "") -> Unreachable | None:
    """Return the error for a target that is refused now; None if it may be asked."""
    try:
        known = quick_client().get(_key(target))
    except (RedisError, OSError):
        return None
    if not known:
        return None
    told = json.loads(str(known))
    again = datetime.fromtimestamp(told["until"], UTC)
    kind = TimedOut if told["silent"] else Unreachable
    return kind(f"{told['said']} It is asked again from {again:%H:%M:%S} UTC.", code=code)


@contextmanager
def circuit(target: str) -> Iterator[None]:
    """Run the block unless the target is known as away; raise Unreachable, and record it."""
    if (known := refusal_of(target)) is not None:
        raise known
    try:
        yield
    except Unreachable as error:
        open_circuit(target, error)
        raise


def _key(target: str) -> str:
    return f"muster:away:{target}"
