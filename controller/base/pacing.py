"""Shared bandwidth: what all processes of the portal send through one lane, bytes a second.

A lane is a key in Redis with the moment until which it is taken. Whoever sends takes the next
stretch of time, as long as its bytes last at the rate, and waits for its beginning. Without
Redis nothing is held back.
"""

import asyncio
import logging
from typing import Any, cast

from redis.exceptions import RedisError

from controller.base.redis import async_client

log = logging.getLogger(__name__)

MICROSECONDS = 1_000_000
TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local at = tonumber(redis.call('GET', KEYS[1]) or '0')
if at < now then at = now end
local later = at + tonumber(ARGV[1])
redis.call('SET', KEYS[1], string.format('%.0f', later), 'PX', math.ceil((later - now) / 1000) + 1000)
return math.floor(at - now)
"""


async def wait_for(lane: str, size: int, rate: int) -> None:
    """Wait until ``size`` bytes may be sent; at once if the rate is 0."""
    if rate > 0:
        await asyncio.sleep(await take(lane, size, rate))


async def take(lane: str, size: int, rate: int) -> float:
    """Take the next place in a lane; return after how many seconds it begins."""
    redis = async_client()
    try:
        answer: Any = redis.eval(TAKE, 1, f"lane:{lane}", str(size * MICROSECONDS // rate))
        return cast(int, await answer) / MICROSECONDS
    except (RedisError, OSError) as error:
        log.warning("Redis does not answer, nothing is held back: %s", error)
        return 0.0
    finally:
        await redis.aclose()
