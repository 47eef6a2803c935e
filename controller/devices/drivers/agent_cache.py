"""Agent cache in Redis, so that polls need no database.

One record per device with the answer to its agent's checksum poll, and a common hash with
time
and address of the devices' last requests, collected until they are written in bulk.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from redis.exceptions import ResponseError

from controller.base.redis import quick_client

SEEN = "muster:seen"
SEEN_TAKEN = "muster:seen:taken"
# Maximum lifetime of a stale record that could not be deleted while Redis was down.
SECONDS_KEPT = 600


def record_name(device_hex: str) -> str:
    return f"muster:agent:{device_hex}"


def key_hash(key: str) -> str:
    """Return the hash of a key for comparison; records contain no keys."""
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass(frozen=True)
class Record:
    device_id: UUID
    key: str
    checksum: str
    management_ip: str

    def text(self) -> str:
        return f"{key_hash(self.key)}|{self.checksum}|{self.management_ip}"


def publish(records: Iterable[Record]) -> None:
    """Cache these records, so that the devices' polls are answered from Redis."""
    with quick_client().pipeline(transaction=False) as pipe:
        for record in records:
            pipe.set(record_name(record.device_id.hex), record.text(), ex=SECONDS_KEPT)
        pipe.execute()


def withdraw(device_ids: Iterable[UUID]) -> None:
    """Delete the records of these devices; their next poll reaches the database."""
    names = [record_name(device_id.hex) for device_id in device_ids]
    if names:
        quick_client().delete(*names)


def record_seen(seen: Mapping[Any, Any]) -> None:
    """Record recent requests: device hex → ``seconds address``."""
    quick_client().hset(SEEN, mapping=dict(seen))


def take_seen() -> dict[UUID, tuple[datetime, str]]:
    """Return all requests recorded since the last call.

    They are kept until :func:`discard_taken` is called.
    """
    redis = quick_client()
    if not redis.exists(SEEN_TAKEN):
        try:
            redis.rename(SEEN, SEEN_TAKEN)
        except ResponseError:  # no requests were recorded
            return {}
    taken: dict[UUID, tuple[datetime, str]] = {}
    for device, text in redis.hgetall(SEEN_TAKEN).items():
        seconds, _, address = str(text).partition(" ")
        taken[UUID(str(device))] = datetime.fromtimestamp(float(seconds), UTC), address
    return taken


def discard_taken() -> None:
    quick_client().delete(SEEN_TAKEN)
