"""Celery's Redis transport, treating all Redis errors as recoverable."""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError


class SafeParameters:
    """Channel that refuses to be read once its connection is closed."""

    connection: Any

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        # A channel may be read once more after its connection was closed. Without this check
        # the worker ends with an AttributeError.
        if self.connection.client is None:
            raise RedisConnectionError("The connection of this channel is closed.")
        params: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]
        return params


class Channel(SafeParameters, redis.Channel):
    pass


class SentinelChannel(SafeParameters, redis.SentinelChannel):
    pass


class Transport(redis.Transport):
    Channel = Channel
    # Redis refuses writes temporarily while its disk or memory is full or its replicas are
    # down.
    connection_errors = (*redis.Transport.connection_errors, ResponseError)


class SentinelTransport(redis.SentinelTransport):
    Channel = SentinelChannel
    connection_errors = Transport.connection_errors


def register() -> None:
    """Register these transports for all addresses of Redis and of its Sentinels."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
    TRANSPORT_ALIASES["sentinel"] = f"{__name__}:SentinelTransport"
