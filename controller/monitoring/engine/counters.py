"""Counters that only grow, until a device restarts or they wrap, as increments."""

from dataclasses import dataclass

WRAP = 2**32
# A 32-bit counter that fell from the last quarter of its range has wrapped; one that fell from
# anywhere else was reset, as when an interface is made again.
LAST_QUARTER = 3 * 2**30
LARGEST = 2**64
# After a longer silence a counter may have wrapped several times, and a bar for all of it
# would stand at one moment.
LONGEST_GAP_SECONDS = 2 * 3600
USUAL_SPEED = 10_000_000_000
# How much faster than its speed a link may seem, as reports are not taken to the second.
TOLERANCE = 1.1
CLOCK_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Moment:
    """When a report was made, and since when the device had been up; None is unknown."""

    at: int
    uptime: float | None = None


def has_rebooted(before: Moment, now: Moment) -> bool:
    """Return whether the device restarted between two reports."""
    if now.uptime is None:
        return False
    if before.uptime is not None and now.uptime < before.uptime:
        return True
    return now.at - before.at > now.uptime + CLOCK_SECONDS


def increment(
    old: float | None, new: float, *, before: Moment, now: Moment, speed: float = USUAL_SPEED
) -> float | None:
    """Return by how much a counter has grown since the report before; None is unknown.

    ``speed`` is that of the link in bit/s: more than it can carry is no measurement.
    """
    if old is None or now.at <= before.at:
        return None
    seconds: float = now.at - before.at
    if has_rebooted(before, now):
        seconds = min(seconds, now.uptime or seconds)
        grown = new
    elif new >= old:
        grown = new - old
    elif LAST_QUARTER < old < WRAP:
        grown = new + WRAP - old
    else:
        grown = new
    if seconds > LONGEST_GAP_SECONDS:
        return None
    # Also a report that was made a moment after the start may tell of a full second.
    return grown if grown * 8 <= speed * TOLERANCE * max(seconds, 1) else None
