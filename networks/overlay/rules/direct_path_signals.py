"""Signals to the web processes that hold agents' requests. A lost signal costs seconds."""

import logging
from collections.abc import Collection

from django.db import transaction
from redis.exceptions import RedisError

from controller.base.redis import quick_client

CHANNEL = "muster:ways"
PATIENCE_SECONDS = 0.5

log = logging.getLogger(__name__)


def wake(node_ids: Collection[int]) -> None:
    """Answer the held requests of these nodes' agents on commit."""
    ids = " ".join(str(one) for one in sorted(set(node_ids)))
    if ids:
        transaction.on_commit(lambda: _publish(ids))


def _publish(ids: str) -> None:
    try:
        quick_client(PATIENCE_SECONDS).publish(CHANNEL, ids)
    except (RedisError, OSError) as error:
        log.warning("Redis is away, agents learn of new ways a little later: %s", error)
