"""Circuit breaker: what did not answer a moment ago is not waited for again at once.

Polls and people share what they found, through Redis. While Redis is away every call is tried.
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

# How long somebody who asks is spared the wait, unless a poll says for how long.
PAUSE_SECONDS = 15.0

log = logging.getLogger(__name__)


def open_circuit(target: str, error: Exception, *, seconds: float = PAUSE_SECONDS) -> None:
    """Remember for so many seconds that a target did not answer, and how that was said."""
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
        log.warning("Redis is away, nobody is spared %s: %s", target, problem)


def close_circuit(target: str) -> None:
    """Forget that a target did not answer: it did now."""
    try:
        quick_client().delete(_key(target))
    except (RedisError, OSError) as problem:
        log.warning("Redis is away, %s is not known to answer: %s", target, problem)


def refusal_of(target: str, *, code: str = "") -> Unreachable | None:
    """Return why a target is not asked now and when it is again; None if it may be asked."""
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
    """Ask a target, unless it is known as away; raise Unreachable then, and remember it."""
    if (known := refusal_of(target)) is not None:
        raise known
    try:
        yield
    except Unreachable as error:
        open_circuit(target, error)
        raise


def _key(target: str) -> str:
    return f"muster:away:{target}"
