"""Record notices in the transaction of the event."""

from collections.abc import Iterable
from typing import Any

from controller.base.events import Event
from controller.celery import enqueue_on_commit
from controller.notifications.engine.kinds import ABOUT, KINDS, kind_of, text_of
from controller.notifications.models import Notice

SPREAD = "controller.notifications.tasks.spread"
BATCH = 500


def record_notices(events: Iterable[Event]) -> int:
    """Create notices for events users are notified of. Returns the number.

    Repeats of a row's latest notice are dropped, and recoveries are recorded only after a
    problem.
    """
    rows = [row for event in events if (row := noticed(event))]
    kept = sum(_keep(list(some)) for some in chunks(rows))
    if kept:
        enqueue_on_commit(SPREAD)
    return kept


def chunks(rows: list[Any]) -> Iterable[list[Any]]:
    return (rows[at : at + BATCH] for at in range(0, len(rows), BATCH))


def noticed(event: Event) -> Notice | None:
    found = kind_of(event.kind, event.data)
    if found is None:
        return None
    kind, permission = found
    return Notice(
        organization_id=event.organization_id,
        site_id=event.site_id,
        has_site=event.has_site,
        kind=kind,
        family=KINDS[kind].family,
        permission=permission,
        object_type=event.data.get("object_type") or ABOUT[event.kind],
        object_id=str(event.object_id),
        object_name=str(event.data.get("name") or "")[:200],
        text=text_of(kind, event.data),
        data={name: str(value) for name, value in event.data.items()},
    )


def _keep(rows: list[Notice]) -> int:
    former = {
        (row.family, row.object_id): row
        for row in Notice.objects.filter(
            is_latest=True, object_id__in={row.object_id for row in rows}
        ).only("family", "object_id", "kind", "text")
    }
    fresh: dict[tuple[str, str], Notice] = {}
    for row in rows:
        last = former.get(key := (row.family, row.object_id))
        if KINDS[row.kind].is_recovery:
            is_news = last is not None and not KINDS[last.kind].is_recovery
        else:
            is_news = last is None or (last.kind, last.text) != (row.kind, row.text)
        if is_news:
            fresh[key] = row
    replaced = [former[key].pk for key in fresh if key in former]
    Notice.objects.filter(pk__in=replaced).update(is_latest=False)
    Notice.objects.bulk_create(fresh.values(), batch_size=BATCH)
    return len(fresh)
