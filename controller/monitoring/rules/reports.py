"""Reports of device agents: authentication, parsing and storage."""

import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import DatabaseError
from redis.exceptions import RedisError

from controller.base.secrets import digest
from controller.devices.drivers import agent_cache
from controller.devices.models import Device
from controller.monitoring.engine import netjson
from controller.monitoring.rules.arrivals import Arrival
from controller.monitoring.rules.ingest import WRONG_CLOCK, believed, ingest

TIME_FORMAT = "%d-%m-%Y_%H:%M:%S.%f"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Posted:
    """What an agent posted; ``time`` is when it made the report, as it writes that."""

    device: UUID
    key: str
    body: bytes
    arrived: float
    time: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent is told. 200 and 400 make it delete its file; all else it sends again."""

    status: int
    body: Any = None

    @classmethod
    def detail(cls, status: int, text: str) -> "Answer":
        return cls(status, {"detail": text})


TAKEN = Answer(200)
NO_KEY = Answer.detail(403, "Authentication credentials were not provided.")
WRONG_KEY = Answer.detail(403, "The key is not the device's.")
NO_DEVICE = Answer.detail(404, "No Device matches the given query.")
WRONG_TIME = Answer.detail(400, "Incorrect time format")
NOT_KEPT = Answer.detail(503, "The report could not be kept. Send it again.")


def receive(posted: Sequence[Posted]) -> list[Answer]:
    """Keep these reports and return what to answer to each.

    The key is compared for every report, whatever the device sent before.
    """
    known = digests({one.device for one in posted})
    answers: list[Answer] = []
    arrivals: dict[int, Arrival] = {}
    for at, one in enumerate(posted):
        answer = proved(one, known)
        if answer is TAKEN:
            found = arrival_of(one)
            if isinstance(found, Arrival):
                arrivals[at] = found
            else:
                answer = found
        answers.append(answer)
    for at, kept in zip(arrivals, keep(list(arrivals.values())), strict=True):
        answers[at] = kept
    note_seen([one for one, answer in zip(posted, answers, strict=True) if answer is TAKEN])
    return answers


def digests(devices: set[UUID]) -> dict[UUID, str]:
    """Return what the key of each device in service is compared with."""
    rows = Device.objects.filter(
        pk__in=devices, is_deactivated=False, organization__is_active=True
    )
    return dict(rows.values_list("pk", "key_digest"))


def proved(one: Posted, known: dict[UUID, str]) -> Answer:
    if one.device not in known:
        return NO_DEVICE
    if not one.key:
        return NO_KEY
    is_right = hmac.compare_digest(known[one.device], digest(one.key))
    return TAKEN if is_right else WRONG_KEY


def arrival_of(one: Posted) -> Arrival | Answer:
    """Return the report that was posted, or what is wrong with it."""
    try:
        report = netjson.read(orjson.loads(one.body))
    except orjson.JSONDecodeError as error:
        return Answer.detail(400, f"JSON parse error - {error}")
    except netjson.NotAReport as error:
        return Answer(400, str(error))
    try:
        told = seconds_of(one.time) if one.time else None
    except (ValueError, OverflowError):
        return WRONG_TIME
    arrived = int(one.arrived)
    at, is_right = believed(told, arrived)
    if not is_right:
        report.complain(WRONG_CLOCK)
    return Arrival(one.device, at, arrived, report, one.body)


def seconds_of(time: str) -> int:
    return int(datetime.strptime(time, TIME_FORMAT).replace(tzinfo=UTC).timestamp())


def keep(arrivals: list[Arrival]) -> list[Answer]:
    """Keep all of them, or where that fails each by itself, so that none costs another."""
    if not arrivals:
        return []
    try:
        kept = ingest(arrivals)
    except DatabaseError:
        log.exception("%d reports could not be kept", len(arrivals))
        if len(arrivals) == 1:
            return [NOT_KEPT]
        return [answer for one in arrivals for answer in keep([one])]
    return [TAKEN if one.device in kept else NO_DEVICE for one in arrivals]


def note_seen(taken: Sequence[Posted]) -> None:
    """Note when and from where the devices were heard of."""
    seen = {one.device.hex: f"{one.arrived:.3f} {one.address}" for one in taken}
    if not seen:
        return
    try:
        agent_cache.record_seen(seen)
    except (RedisError, OSError) as error:
        log.warning("Redis does not answer, last seen of %d is lost: %s", len(seen), error)
