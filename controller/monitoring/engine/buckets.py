"""Ranges of time, cut into the buckets of a chart."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MINUTE, HOUR, DAY = 60, 3600, 86_400
WEEK = 7 * DAY
MOST_DAYS = 365
DATE_FORMAT = "%Y-%m-%d %H:%M:%S"
# How long the buckets of the portal's own ranges are, and how long the range is.
PAGE_RANGES = {
    "1h": (5 * MINUTE, HOUR),
    "24h": (5 * MINUTE, DAY),
    "7d": (HOUR, WEEK),
    "30d": (4 * HOUR, 30 * DAY),
    "1y": (DAY, 365 * DAY),
}
# A chart has about so many points where a range was chosen by hand.
POINTS = 360
STEPS = (5 * MINUTE, 10 * MINUTE, 20 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, DAY, WEEK)
SHORTEST = 15 * MINUTE


class NotARange(ValueError):
    """What was asked for is no range of time; the text is for who asked."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """A range as the edges of its buckets, in seconds since the epoch."""

    edges: Sequence[int]
    step: int
    zone: tzinfo = UTC

    @property
    def start(self) -> int:
        return self.edges[0]

    @property
    def end(self) -> int:
        return self.edges[-1]

    def place(self, at: int) -> int | None:
        """Return in which bucket a moment lies; None where it is in none."""
        found = bisect_right(self.edges, at) - 1
        return found if 0 <= found < len(self.edges) - 1 else None

    def week_before(self) -> "Buckets":
        """Return the same buckets of the same day last week, by the clock of the zone."""
        moved = [
            int((datetime.fromtimestamp(edge, self.zone) - timedelta(7)).timestamp())
            for edge in self.edges
        ]
        return Buckets(sorted(moved), self.step, self.zone)

    def labels(self) -> list[str]:
        """Return the start of each bucket in the zone, as ``2025-11-30 15:00``."""
        moments = (datetime.fromtimestamp(edge, self.zone) for edge in self.edges[:-1])
        return [f"{moment:%Y-%m-%d %H:%M}" for moment in moments]


def zone_of(name: str | None, usual: str = "UTC") -> ZoneInfo:
    """Return the time zone of an IANA name; raise :class:`NotARange` where there is none."""
    try:
        return ZoneInfo(name or usual)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        # So spelt since the first release of the API that this one is compatible with.
        raise NotARange("Unkown Time Zone") from error


def cut(start: int, end: int, step: int, zone: tzinfo = UTC) -> Buckets:
    """Return the buckets from ``start`` to ``end``, the first one whole.

    Buckets of a day or more begin at midnight in the zone, so that a day has 23 or 25 hours
    where the clocks change.
    """
    if step >= DAY:
        return Buckets(_midnights(start, end, step // DAY, zone), step, zone)
    offset = datetime.fromtimestamp(start, zone).utcoffset() or timedelta()
    shift = int(offset.total_seconds())
    first = start - (start + shift) % step
    return Buckets(list(range(first, end + step, step)), step, zone)


def _midnights(start: int, end: int, days: int, zone: tzinfo) -> list[int]:
    day = datetime.fromtimestamp(start, zone).date()
    epoch = date(1970, 1, 1)
    day -= timedelta((day - epoch).days % days)
    edges = [_midnight(day, zone)]
    while edges[-1] < end:
        day += timedelta(days)
        edges.append(_midnight(day, zone))
    return edges


def _midnight(day: date, zone: tzinfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp())


def page_range(name: str, now: int, zone: tzinfo) -> Buckets:
    """Return the buckets of one of the portal's own ranges, up to now."""
    if name not in PAGE_RANGES:
        raise NotARange(f"A range is one of {', '.join(PAGE_RANGES)}.")
    step, length = PAGE_RANGES[name]
    return cut(now - length, now, step, zone)


def chosen_range(start: int, end: int, now: int, zone: tzinfo) -> Buckets:
    """Return the buckets of a range that somebody chose, in steps that suit its length."""
    end = min(end, now)
    if end - start > MOST_DAYS * DAY + DAY:
        raise NotARange("A range is at most a year long.")
    if start >= end:
        raise NotARange("A range starts before it ends, and before now.")
    start = min(start, end - SHORTEST)
    step = next((step for step in STEPS if (end - start) / step <= POINTS), WEEK)
    return cut(start, end, step, zone)


def openwisp_range(text: str, now: int, zone: tzinfo) -> Buckets:
    """Return the buckets of a range such as ``7d``."""
    found = re.fullmatch(r"([1-9]\d{0,2})d", text)
    if found is None or int(found[1]) > MOST_DAYS:
        raise NotARange("Time range not supported")
    days = int(found[1])
    start = now - days * DAY
    if days > 6:  # noqa: PLR2004 - shorter ranges start at the second
        today = datetime.fromtimestamp(now, zone).date()
        back = days - 1 if days < 30 else days  # noqa: PLR2004 - a month starts at a midnight
        start = _midnight(today - timedelta(back), zone)
    return cut(start, now, openwisp_step(days), zone)


def openwisp_dates(start: str, end: str, now: int, zone: tzinfo) -> Buckets:
    """Return the buckets between two dates such as ``2025-11-30 15:00:00`` in the zone."""
    try:
        since, until = (
            datetime.strptime(one, DATE_FORMAT).replace(tzinfo=zone) for one in (start, end)
        )
        first, last = int(since.timestamp()), int(until.timestamp())
    except (ValueError, OverflowError) as error:
        raise NotARange("Incorrect custom date format, should be YYYY-MM-DD H:M:S") from error
    if first < 0:
        raise NotARange("start_date cannot be before 1970")
    if first > last:
        raise NotARange("start_date cannot be greater than end_date")
    days = (last - first) // DAY
    if days > MOST_DAYS:
        raise NotARange("The date range shouldn't be greater than 365 days")
    today_ends = _midnight(datetime.fromtimestamp(now, zone).date() + timedelta(1), zone)
    for name, moment in (("start_date", first), ("end_date", last)):
        if moment >= today_ends:
            raise NotARange(f"{name} cannot be greater than today's date")
    return cut(first, max(last, first + MINUTE), openwisp_step(max(days, 1)), zone)


def openwisp_step(days: int) -> int:
    """Return how long the buckets of a range of whole days are, in seconds."""
    presets = {1: 10 * MINUTE, 2: 10 * MINUTE, 3: 20 * MINUTE, 7: HOUR}
    if days in presets:
        return presets[days]
    steps = (
        (7, 5 * MINUTE * round(days * 4 / 3)),
        (28, HOUR * round(days / 7)),
        (30, 4 * HOUR),
        (211, DAY),
    )
    step = next((step for limit, step in steps if days < limit), WEEK)
    return WEEK if days == MOST_DAYS else step
