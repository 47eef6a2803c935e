"""What Redis knows of devices, so that a poll needs no database.

For each device a record of what its agent asks every other minute; and for all of them
together the time and address of their last request, collected until it is written in bulk.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import redis
from django.conf import settings

SEEN = "muster:seen"
SEEN_TAKEN = "muster:seen:taken"
# A record that could not be withdrawn while Redis was away is wrong for this long at most.
SECONDS_KEPT = 600


def record_name(device_hex: str) -> str:
    return f"muster:agent:{device_hex}"


def key_hash(key: str) -> str:
    """The record holds no key, only what a key can be compared with."""
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass(frozen=True)
class Record:
    device_id: UUID
    key: str
    checksum: str
    management_ip: str

    def text(self) -> str:
        return f"{key_hash(self.key)}|{self.checksum}|{self.management_ip}"


@lru_cache(maxsize=1)
def client() -> "redis.Redis":
    return redis.Redis.from_url(
        settings.REDIS_URL, decode_responses=True, socket_timeout=2, socket_connect_timeout=2
    )


def publish(records: Iterable[Record]) -> None:
    """Let polls of these devices be answered from here."""
    with client().pipeline(transaction=False) as pipe:
        for record in records:
            pipe.set(record_name(record.device_id.hex), record.text(), ex=SECONDS_KEPT)
        pipe.execute()


def withdraw(device_ids: Iterable[UUID]) -> None:
    """Send the next poll of these devices to the database."""
    names = [record_name(device_id.hex) for device_id in device_ids]
    if names:
        client().delete(*names)


def record_seen(seen: Mapping[Any, Any]) -> None:
    """device hex → ``seconds address``, of the last moments."""
    client().hset(SEEN, mapping=dict(seen))


def take_seen() -> dict[UUID, tuple[datetime, str]]:
    """All that was noted since the last call; kept until :func:`forget_taken`."""
    redis_ = client()
    if not redis_.exists(SEEN_TAKEN):
        try:
            redis_.rename(SEEN, SEEN_TAKEN)
        except redis.ResponseError:  # nothing was noted
            return {}
    taken: dict[UUID, tuple[datetime, str]] = {}
    for device, text in redis_.hgetall(SEEN_TAKEN).items():
        seconds, _, address = str(text).partition(" ")
        taken[UUID(str(device))] = datetime.fromtimestamp(float(seconds), UTC), address
    return taken


def discard_taken() -> None:
    client().delete(SEEN_TAKEN)
