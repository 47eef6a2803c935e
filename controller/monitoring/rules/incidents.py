"""Open problems by their causes: an uplink that is away, a site, or one limit on many devices."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext

from controller.accounts.models import User
from controller.monitoring.engine.metrics import ABOUT, CRITICAL, Metric
from controller.monitoring.models import Condition

MOST = 6
# From so many devices on, a site or a metric is one problem instead of many.
TOGETHER = 3
READ = 5000


@dataclass(frozen=True, slots=True)
class Incident:
    """One cause, how many devices it is about, and since when (seconds)."""

    text: str
    count: int
    since: int
    # The device, or the site, where it began; of a metric neither.
    device: UUID | None = None
    site: UUID | None = None
    metric: str = ""
    is_critical: bool = False


def incidents(user: User) -> list[Incident]:
    """Return the causes of several devices' problems that the user may see, the worst first."""
    rows = list(
        Condition.objects.visible_to(user, "monitoring:read")
        .filter(ended=None, is_shown=True, monitored__device__is_deactivated=False)
        .select_related("monitored__device__site", "behind")
        .order_by("bad_since")[:READ]
    )
    found = [*outages(rows), *sites(rows), *metrics(rows)]
    return sorted(found, key=lambda one: (not one.is_critical, -one.count, one.since))[:MOST]


def outages(rows: Iterable[Condition]) -> Iterator[Incident]:
    """Yield devices that are away and lead others to the portal."""
    behind: dict[UUID, list[Condition]] = defaultdict(list)
    for row in rows:
        if row.behind_id is not None:
            behind[row.behind_id].append(row)
    for device, some in behind.items():
        count = len({row.monitored_id for row in some})
        noun = "device is" if count == 1 else "devices are"
        yield Incident(
            f"{some[0].behind} is away, and {count} {noun} behind it",
            count + 1, min(row.bad_since for row in some), device=device, is_critical=True,
        )  # fmt: skip


def sites(rows: Iterable[Condition]) -> Iterator[Incident]:
    """Yield sites of which several devices are away for no known cause."""
    away: dict[UUID, list[Condition]] = defaultdict(list)
    for row in rows:
        site = row.monitored.device.site_id
        if row.metric in CRITICAL and row.behind_id is None and site is not None:
            away[site].append(row)
    for site, some in away.items():
        count = len({row.monitored_id for row in some})
        if count >= TOGETHER:
            yield Incident(
                f"{count} devices of {some[0].monitored.device.site} are away",
                count, min(row.bad_since for row in some), site=site, is_critical=True,
            )  # fmt: skip


def metrics(rows: Iterable[Condition]) -> Iterator[Incident]:
    """Yield metrics that are beyond their limits on several devices."""
    wrong: dict[str, list[Condition]] = defaultdict(list)
    for row in rows:
        if row.metric not in CRITICAL and row.behind_id is None:
            wrong[row.metric].append(row)
    for metric, some in wrong.items():
        count = len({row.monitored_id for row in some})
        if count >= TOGETHER:
            yield Incident(
                gettext("%(problem)s on %(count)s devices")
                % {"problem": gettext(ABOUT[Metric(metric)].trouble), "count": count},
                count, min(row.bad_since for row in some), metric=metric,
            )  # fmt: skip
