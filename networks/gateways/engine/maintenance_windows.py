"""Maintenance windows, such as ``Mon-Fri 22:00-06:00, Sun 00:00-24:00``."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LINE = re.compile(
    r"(?:(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))? )?"
    r"(?P<begin>\d\d:[0-5]\d)-(?P<end>\d\d:[0-5]\d)",
    re.IGNORECASE,
)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """Weekdays (0 is Monday), start and end, which is on the next day if earlier."""

    days: frozenset[int]
    begin: timedelta
    end: timedelta


def parse(text: str) -> list[Window]:
    """Parse maintenance windows. Raises ValueError with an explanation."""
    return [_window(part.strip()) for part in text.split(",") if part.strip()]


def _window(text: str) -> Window:
    found = LINE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not like Mon-Fri 22:00-06:00.")
    begin, end = _clock(found["begin"]), _clock(found["end"])
    if begin == end or begin >= DAY:
        raise ValueError(f"{text!r} has no length.")
    first = _day(found["first"] or "Mon")
    last = _day(found["last"] or found["first"] or "Sun")
    days = frozenset((first + at) % 7 for at in range((last - first) % 7 + 1))
    return Window(days, begin, end if end > begin else end + DAY)


def _day(text: str) -> int:
    if text.capitalize() not in DAYS:
        raise ValueError(f"{text!r} is no day of the week: Mon, Tue, Wed, Thu, Fri, Sat, Sun.")
    return DAYS.index(text.capitalize())


def _clock(text: str) -> timedelta:
    hours, minutes = map(int, text.split(":"))
    found = timedelta(hours=hours, minutes=minutes)
    if found > DAY:
        raise ValueError(f"{text} is no time of day.")
    return found


def next_opening(windows: Sequence[Window], at: datetime, zone: tzinfo) -> datetime | None:
    """Return the earliest time from ``at`` on at which a window is open.

    Returns None if there are no windows, which means always open.
    """
    if not windows:
        return None
    today = at.astimezone(zone).date()
    spans = [
        span
        for window in windows
        for offset in range(-1, 9)
        for span in _spans(window, today + offset * DAY, zone)
        if span[1] > at
    ]
    return max(min(spans)[0], at)


def _spans(window: Window, day: date, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
    if day.weekday() in window.days:
        yield _moment(day, window.begin, zone), _moment(day, window.end, zone)


def _moment(day: date, clock: timedelta, zone: tzinfo) -> datetime:
    """Return the local wall-clock time on a day, also across a daylight saving change."""
    wall = datetime.combine(day, time(), tzinfo=None) + clock
    return wall.replace(tzinfo=zone).astimezone(UTC)
