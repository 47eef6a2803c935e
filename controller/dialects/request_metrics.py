"""Histogram of request times, summed up over all web processes in Redis.

Each process counts in memory and adds its counts to Redis every few seconds. No file is mapped
into memory for it: with a full disk such a file ends the process.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import cast

from prometheus_client.core import HistogramMetricFamily
from redis.exceptions import RedisError

from controller.base.redis import quick_client

NAME = "muster_request_seconds"
ABOUT = "Requests answered, by dialect, method and kind of status."
LABELS = ("dialect", "method", "status")
BUCKETS = (0.005, 0.025, 0.1, 0.5, 2.5)
BOUNDS = (*map(str, BUCKETS), "+Inf")
KEY = "muster:requests"
FLUSH_SECONDS = 5.0
PATIENCE_SECONDS = 0.5

log = logging.getLogger(__name__)


class RequestTimes:
    """Counts of this process that are not in Redis yet."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts: dict[str, float] = defaultdict(float)
        self.flushed = time.monotonic()

    def observe(self, labels: tuple[str, str, str], seconds: float) -> None:
        bucket = next((str(one) for one in BUCKETS if seconds <= one), "+Inf")
        name = "|".join(labels)
        with self.lock:
            self.counts[f"{name}|{bucket}"] += 1
            self.counts[f"{name}|sum"] += seconds
            is_due = time.monotonic() - self.flushed > FLUSH_SECONDS
            if is_due:
                self.flushed = time.monotonic()
        if is_due:
            self.flush()

    def flush(self) -> None:
        """Add the counts to Redis. They are kept for the next time while Redis is away."""
        with self.lock:
            counts, self.counts = self.counts, defaultdict(float)
        try:
            pipe = quick_client(PATIENCE_SECONDS).pipeline(transaction=False)
            for key, number in counts.items():
                pipe.hincrbyfloat(KEY, key, number)
            pipe.execute()
        except (RedisError, OSError) as error:
            log.warning("Redis is away, request times are kept: %s", error)
            with self.lock:
                for key, number in counts.items():
                    self.counts[key] += number


TIMES = RequestTimes()


def collect() -> Iterator[HistogramMetricFamily]:
    """Yield the histogram over all processes; this one's counts are added first."""
    TIMES.flush()
    try:
        stored = cast(dict[str, str], quick_client(PATIENCE_SECONDS).hgetall(KEY))
    except (RedisError, OSError):
        return
    series: dict[str, dict[str, float]] = defaultdict(dict)
    for key, number in stored.items():
        name, _, bucket = key.rpartition("|")
        series[name][bucket] = float(number)
    family = HistogramMetricFamily(NAME, ABOUT, labels=LABELS)
    for name, counts in series.items():
        family.add_metric(name.split("|"), cumulated(counts), counts.get("sum", 0.0))
    yield family


def cumulated(counts: dict[str, float]) -> list[tuple[str, float]]:
    total, buckets = 0.0, []
    for bound in BOUNDS:
        total += counts.get(bound, 0.0)
        buckets.append((bound, total))
    return buckets
