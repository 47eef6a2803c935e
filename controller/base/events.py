"""Event stream: one Redis message per event for WebSockets and other listeners.

Nothing depends on an event: events are hints for pages and programs that would otherwise
poll. Each listener checks for each event whether its user may see it.
"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, cast
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils import timezone
from redis.exceptions import RedisError

from controller.base.redis import quick_client

CHANNEL = "muster:events"
PATIENCE_SECONDS = 0.5

log = logging.getLogger(__name__)


class Place(Protocol):
    """Row that has an owner and a site scope."""

    pk: Any

    @property
    def owner_id(self) -> UUID | None: ...

    @property
    def site_scope(self) -> Any: ...


@dataclass(frozen=True)
class Event:
    """Event; ``kind`` is e.g. device.status, ``permission`` is required on the row."""

    kind: str
    permission: str
    organization_id: UUID | None
    object_id: Any
    data: dict[str, Any] = field(default_factory=dict)
    # The row's site; None if it is in no site. `has_site` is False for kinds without sites.
    site_id: UUID | None = None
    has_site: bool = True
    # Users who receive the event, for rows that belong to users; None: everybody with the
    # permission.
    recipients: frozenset[UUID] | None = None

    def written(self) -> str:
        return json.dumps(
            {
                "type": self.kind,
                "at": timezone.now(),
                "organization_id": self.organization_id,
                "site_id": self.site_id,
                "id": self.object_id,
                "data": self.data,
                "permission": self.permission,
                "has_site": self.has_site,
                "people": None
                if self.recipients is None
                else sorted(map(str, self.recipients)),
            },
            cls=DjangoJSONEncoder,
        )


def event_for(row: Place, kind: str, permission: str, **data: Any) -> Event:
    """Create an event about a row that an organization owns."""
    site = row.site_scope
    has_site = site is None or isinstance(site, UUID)
    return Event(
        kind, permission, row.owner_id, row.pk, data, site if has_site else None, has_site
    )


def publish(*events: Event) -> None:
    """Publish these events once the surrounding transaction has committed."""
    if events:
        publish_on_commit(lambda: events)


def publish_on_commit(find: Callable[[], Iterable[Event]]) -> None:
    """Collect and publish events after commit, but only if there are listeners."""
    transaction.on_commit(lambda: _publish(find))


def _publish(find: Callable[[], Iterable[Event]]) -> None:
    try:
        redis = quick_client(PATIENCE_SECONDS)
        ((_, listeners),) = cast(list[tuple[bytes, int]], redis.pubsub_numsub(CHANNEL))
        if not listeners:
            return
        pipe = redis.pipeline(transaction=False)
        for event in find():
            pipe.publish(CHANNEL, event.written())
        pipe.execute()
    except (RedisError, OSError) as error:
        log.warning("Redis is away, nobody hears what happened: %s", error)
