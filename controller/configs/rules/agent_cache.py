"""Synchronization of the agent cache with the database."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.db import transaction
from redis.exceptions import RedisError

from controller.base.events import Event, publish_on_commit
from controller.configs.models import Config
from controller.devices.drivers import agent_cache
from controller.notifications.rules.notices import record_notices

log = logging.getLogger(__name__)


def publish_checksums(config_ids: Iterable[UUID]) -> None:
    """Cache the new checksums on commit."""
    ids = list(config_ids)
    transaction.on_commit(lambda: _publish(ids))


def publish_status(config_ids: Iterable[UUID]) -> None:
    """Publish the status of these configurations on commit."""
    ids = list(config_ids)
    columns = (
        "pk", "device", "device__name", "device__organization", "device__site", "status",
        "error_reason", "render_error",
    )  # fmt: skip

    def found(**which: Any) -> Iterator[Event]:
        for pk, device, name, owner, site, status, reason, render in Config.objects.filter(
            pk__in=ids, **which
        ).values_list(*columns):
            data = {"config": pk, "name": name, "status": status, "reason": render or reason}
            yield Event("config.status", "config:read", owner, device, data, site)

    if ids:
        publish_on_commit(found)
        record_notices(found(status__in=[Config.Status.ERROR, Config.Status.APPLIED]))


def invalidate_checksums(device_ids: Iterable[UUID]) -> None:
    """Delete cached checksums on commit; the next polls reach the database."""
    ids = list(device_ids)

    def go() -> None:
        try:
            agent_cache.withdraw(ids)
        except RedisError as error:
            log.warning("Redis is away; cached polls end by themselves: %s", error)

    transaction.on_commit(go)


def records(config_ids: Iterable[UUID]) -> list[agent_cache.Record]:
    """Return cache records of the configurations that agents may request."""
    rows = (
        Config.objects.filter(
            pk__in=config_ids, desired__isnull=False, device__organization__is_active=True
        )
        .exclude(status=Config.Status.DEACTIVATED)
        .select_related("device", "desired")
        .defer("desired__archive", "desired__made_of", "config", "context")
    )
    return [
        agent_cache.Record(
            device_id=row.device_id,
            key=row.device.key,
            checksum=row.desired.checksum,
            management_ip=(
                row.device.management_ip or "" if row.device.management_ip_is_told else ""
            ),
        )
        for row in rows
        if row.desired
    ]


def _publish(config_ids: Iterable[UUID]) -> None:
    try:
        agent_cache.publish(records(config_ids))
    except RedisError as error:
        log.warning("Redis is away; polls are answered by the database: %s", error)
