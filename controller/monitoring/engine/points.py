"""Samples and blocks of one device, gathered into the buckets of a chart."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from controller.monitoring.engine import blocks
from controller.monitoring.engine.blocks import Block
from controller.monitoring.engine.buckets import Buckets


@dataclass(slots=True)
class Points:
    """A series in the buckets of a chart; None where a bucket has no samples."""

    count: list[int]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]

    @classmethod
    def empty(cls, buckets: int) -> "Points":
        return cls([0] * buckets, [None] * buckets, [None] * buckets, [None] * buckets)

    def add(self, at: int, count: int, mean: float, low: float, high: float) -> None:
        had, old = self.count[at], self.mean[at]
        if not had or old is None:
            self.mean[at], self.low[at], self.high[at] = mean, low, high
        else:
            self.mean[at] = (old * had + mean * count) / (had + count)
            self.low[at] = min(self.low[at], low)  # type: ignore[type-var]
            self.high[at] = max(self.high[at], high)  # type: ignore[type-var]
        self.count[at] = had + count

    def join(self, other: "Points") -> None:
        """Add the samples of another part of the same series."""
        for at, count in enumerate(other.count):
            mean, low, high = other.mean[at], other.low[at], other.high[at]
            if count and mean is not None and low is not None and high is not None:
                self.add(at, count, mean, low, high)

    def sums(self) -> list[float | None]:
        """Return what the samples of each bucket add up to."""
        pairs = zip(self.mean, self.count, strict=True)
        return [None if mean is None else mean * count for mean, count in pairs]

    @property
    def is_empty(self) -> bool:
        return not any(self.count)


def resolution_for(buckets: Buckets, fine_from: int, hours_from: int) -> int:
    """Return the coarsest resolution whose buckets fit into those of the chart.

    What is older than ``fine_from`` is not there in five minutes any more, and what is older
    than ``hours_from`` in days alone.
    """
    edges = buckets.edges
    if buckets.start < hours_from or (buckets.step >= blocks.DAY and _fit(edges, blocks.DAY)):
        return blocks.DAY
    if buckets.start < fine_from or buckets.step >= blocks.DAY or _fit(edges, blocks.HOUR):
        return blocks.HOUR
    return blocks.FIVE_MINUTES


def _fit(edges: Sequence[int], resolution: int) -> bool:
    return not any(edge % resolution for edge in edges)


def gather(
    buckets: Buckets,
    found: Iterable[Block],
    samples: Iterable[tuple[int, Mapping[int, float]]],
    slots: Iterable[int],
) -> dict[int, Points]:
    """Return the points of each slot, from blocks and from samples that are in no block yet."""
    points = {slot: Points.empty(len(buckets.edges) - 1) for slot in slots}
    for block in found:
        spans = _spans(buckets.edges, block)
        for slot, column in block.columns.items():
            if slot in points:
                _gather_column(points[slot], column, spans)
    for at, values in samples:
        bucket = bisect_right(buckets.edges, at) - 1
        if 0 <= bucket < len(buckets.edges) - 1:
            for slot, value in values.items():
                if slot in points:
                    points[slot].add(bucket, 1, value, value, value)
    return points


def _gather_column(
    points: Points, column: blocks.Column, spans: Iterable[tuple[int, int, int]]
) -> None:
    for bucket, first, last in spans:
        if found := blocks.merged(column, first, last):
            points.add(bucket, *found)


def _spans(edges: Sequence[int], block: Block) -> list[tuple[int, int, int]]:
    """Return which of a block's buckets lie in each bucket of the chart."""
    size = block.resolution
    end = block.start + blocks.SPANS[size]
    found = []
    first = max(bisect_right(edges, block.start) - 1, 0)
    for bucket in range(first, len(edges) - 1):
        since, until = max(edges[bucket], block.start), min(edges[bucket + 1], end)
        if since >= end:
            break
        # A bucket of the block belongs to where it starts.
        low, high = -(-(since - block.start) // size), -(-(until - block.start) // size)
        if low < high:
            found.append((bucket, low, high))
    return found
