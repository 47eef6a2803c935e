"""Counters that all processes share, kept in Redis and shown to Prometheus.

Workers on other machines count too, and no file has to be mapped into memory for it. When Redis
loses its data the counters start from zero, which Prometheus takes for a restart.
"""

import logging
from typing import cast

from redis.exceptions import RedisError

from controller.base.redis import quick_client

COUNTERS = "muster:counters"

log = logging.getLogger(__name__)


def count(name: str, label: str, number: int = 1) -> None:
    """Add to the counter ``name`` of ``label``. While Redis is away nothing is counted."""
    if not number:
        return
    try:
        quick_client().hincrby(COUNTERS, f"{name}|{label}", number)
    except (RedisError, OSError) as error:
        log.warning("Redis is away, %s of %s is not counted: %s", name, label, error)


def counted(name: str) -> dict[str, int]:
    """Return the counter ``name`` by label, or an empty mapping while Redis is away."""
    try:
        found = cast(dict[str, str], quick_client().hgetall(COUNTERS))
    except (RedisError, OSError):
        return {}
    split = ((*key.split("|", 1), number) for key, number in found.items())
    return {label: int(number) for counter, label, number in split if counter == name}
