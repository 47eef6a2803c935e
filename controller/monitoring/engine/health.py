"""When a value is a problem, when people are told of it, and how a device is.

The state of a condition stands on a row, so that judging needs no query over time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from controller.monitoring.engine.metrics import CRITICAL, Limit, Metric

# A condition shows on the device after its tolerance, or after this if that is less.
SHOWN_AFTER_SECONDS = 600
# A report is late when its device has been silent for so many of its usual intervals.
LATE_INTERVALS = 2.5
LEAST_LATE_SECONDS = 600
USUAL_INTERVAL = 300


class Health(StrEnum):
    OK = "ok"
    PROBLEM = "problem"
    CRITICAL = "critical"
    UNKNOWN = "unknown"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong with a device; times are seconds since the epoch."""

    value: float
    bad_since: int
    good_since: int | None = None
    told_at: int | None = None
    # How often it came back before it was over.
    returns: int = 0


def judge(condition: Condition | None, value: float, at: int, limit: Limit) -> Condition | None:
    """Return the condition as this value leaves it; None where nothing is wrong."""
    if not limit.enabled:
        return None
    if limit.is_crossed(value):
        return _worsened(condition, value, at, limit)
    if condition is None or not limit.is_recovered(value):
        return condition and replace(condition, value=value)
    good_since = condition.good_since if condition.good_since is not None else at
    patience = limit.minutes * 60
    if condition.told_at is None:
        patience //= 3
    if at - good_since >= patience:
        return None
    return replace(condition, value=value, good_since=good_since)


def _worsened(condition: Condition | None, value: float, at: int, limit: Limit) -> Condition:
    if condition is None:
        return Condition(value, at)
    if condition.good_since is None:
        return replace(condition, value=value)
    if condition.told_at is None and at - condition.good_since > limit.minutes * 20:
        return Condition(value, at)
    return replace(condition, value=value, good_since=None, returns=condition.returns + 1)


def is_due(condition: Condition, limit: Limit, now: int) -> bool:
    """Return whether people should be told of the condition now."""
    return (
        condition.told_at is None
        and condition.good_since is None
        and now - condition.bad_since >= limit.minutes * 60
    )


def is_shown(condition: Condition, limit: Limit, now: int) -> bool:
    """Return whether the condition makes its device a problem."""
    if condition.told_at is not None:
        return True
    age = now - condition.bad_since
    return condition.good_since is None and age >= min(limit.minutes * 60, SHOWN_AFTER_SECONDS)


def health_of(judged: Iterable[str], shown: Iterable[str]) -> Health:
    """Return how a device is by the metrics that were judged and those that are bad.

    It is critical if everything is bad that tells whether it is there at all.
    """
    judged, shown = set(judged), set(shown)
    presence = judged & CRITICAL
    if not judged:
        return Health.UNKNOWN
    if presence and presence <= shown:
        return Health.CRITICAL
    return Health.PROBLEM if shown else Health.OK


def late_after(interval: float) -> int:
    """Return after how many seconds of silence a device's reports are late."""
    return max(int(interval * LATE_INTERVALS), LEAST_LATE_SECONDS)


def interval_after(known: float, seconds: float) -> float:
    """Return the usual seconds between reports, as one more of them changes it."""
    if not 0 < seconds <= USUAL_INTERVAL * 12:
        return known
    return round(known + (seconds - known) / 4, 1) if known else seconds


def nearest_limit(
    metric: Metric, usual: Limit, levels: Iterable[Mapping[Metric, Limit]]
) -> Limit:
    """Return the limit in force: the first level that has one, from the device upward."""
    return next((level[metric] for level in levels if metric in level), usual)
