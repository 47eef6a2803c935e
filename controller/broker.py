"""Celery's transport over Redis, for which every trouble of Redis is one to come back from."""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError


class Channel(redis.Channel):
    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        # A channel may be asked to read once more after its connection was given up. Without
        # this the worker ends with an AttributeError.
        if self.connection.client is None:
            raise RedisConnectionError("The connection of this channel is closed.")
        params: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]
        return params


class Transport(redis.Transport):
    Channel = Channel
    # A Redis that refuses writes (its disk or memory is full, its replicas are away) recovers.
    connection_errors = (*redis.Transport.connection_errors, ResponseError)


def register() -> None:
    """Let ``redis://``, ``rediss://`` and ``redis+socket://`` mean this transport."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
