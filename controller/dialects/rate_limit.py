"""Rate limiting with sliding windows in Redis; one round trip per request.

A caller is the user a credential was last known to belong to, else the address. An
unverified
credential is counted with its address, so guessing is limited too.
"""

import logging
import secrets
import time
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from redis import Redis
from redis.commands.core import Script
from redis.exceptions import RedisError

from controller.base.redis import quick_client
from controller.dialects.cookies import ACCESS_COOKIE

log = logging.getLogger(__name__)

MINUTE = 60
PATIENCE_SECONDS = 0.25
# Pause after a failure of Redis, so that an outage costs little.
PAUSE_SECONDS = 5.0
MOST_KNOWN = 20_000

# Sorted set of the times of admitted requests. Returns whether this one is admitted, how many
# more fit into the window, and after how many milliseconds to retry.
WINDOW = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local limit, window, burst = tonumber(ARGV[1]), tonumber(ARGV[2]) * 1000000, tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local used = redis.call('ZCARD', KEYS[1])
if used >= limit then
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return {0, 0, math.ceil((first[2] + window - now) / 1000)}
end
if burst > 0 and redis.call('ZCOUNT', KEYS[1], now - 1000000, '+inf') >= burst then
  return {0, limit - used, 1000}
end
redis.call('ZADD', KEYS[1], now, ARGV[4])
redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
return {1, limit - used - 1, 0}
"""


@dataclass(frozen=True)
class RateLimitResult:
    allowed: bool
    limit: int
    remaining: int
    retry_after: int  # seconds


class Limiter:
    def __init__(self, redis: Redis) -> None:
        self.script: Script = redis.register_script(WINDOW)
        self.asleep_until = 0.0

    def hit(self, caller: str, limit: int, *, burst: int = 0) -> RateLimitResult | None:
        """Count one request; None if there is no limit or Redis is unavailable."""
        if not limit or time.monotonic() < self.asleep_until:
            return None
        try:
            allowed, remaining, milliseconds = cast(
                list[int],
                self.script(
                    [f"limit:{caller}"], [limit, MINUTE, burst, secrets.token_bytes(6)]
                ),
            )
        except RedisError as error:
            log.warning("Redis does not answer, requests are not limited: %s", error)
            self.asleep_until = time.monotonic() + PAUSE_SECONDS
            return None
        return RateLimitResult(bool(allowed), limit, remaining, -(-milliseconds // 1000))


@lru_cache(maxsize=1)
def limiter() -> Limiter:
    return Limiter(quick_client(PATIENCE_SECONDS))


_known: dict[bytes, str] = {}


def _fingerprint(request: HttpRequest) -> bytes:
    meta = request.META
    secret = (
        meta.get("HTTP_AUTHORIZATION")
        or meta.get("HTTP_X_API_KEY")
        or request.COOKIES.get(ACCESS_COOKIE)
        or request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    )
    return blake2b(secret.encode(), digest_size=16).digest() if secret else b""


def caller_of(request: HttpRequest) -> str:
    return _known.get(_fingerprint(request)) or f"address:{request.META.get('REMOTE_ADDR', '')}"


def remember_caller(request: HttpRequest, user_id: Any) -> None:
    """Count this request's verified credential under its user from now on."""
    if len(_known) > MOST_KNOWN:
        _known.clear()
    fingerprint = _fingerprint(request)
    if fingerprint:
        _known[fingerprint] = f"user:{user_id}"
