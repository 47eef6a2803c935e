"""Many values of one device in one row of bytes, a column for each series.

A block holds buckets of the same length side by side. Each column is deflated by itself, so
that a chart of one series reads that column alone.
"""

import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct

FIVE_MINUTES, HOUR, DAY = 300, 3600, 86_400
# How long the buckets of a block are, and how long the whole block is, in seconds.
SPANS: Mapping[int, int] = {FIVE_MINUTES: DAY, HOUR: 7 * DAY, DAY: 91 * DAY}
HEAD = Struct("<BHH")  # version, buckets, columns
ENTRY = Struct("<HI")  # slot, bytes
VERSION = 1
FAST = 4


@dataclass(slots=True)
class Column:
    """The buckets of one series: how many samples each has, their mean, lowest and highest."""

    count: "array[int]"
    mean: "array[float]"
    low: "array[float]"
    high: "array[float]"

    @classmethod
    def empty(cls, buckets: int) -> "Column":
        zeros = [0.0] * buckets
        return cls(array("H", [0]) * buckets, *(array("f", zeros) for _ in range(3)))

    def add(self, at: int, count: int, mean: float, low: float, high: float) -> None:
        """Add samples to a bucket."""
        had = self.count[at]
        if not had:
            self.mean[at], self.low[at], self.high[at] = mean, low, high
        else:
            self.mean[at] = (self.mean[at] * had + mean * count) / (had + count)
            self.low[at] = min(self.low[at], low)
            self.high[at] = max(self.high[at], high)
        self.count[at] = min(had + count, 65_535)


@dataclass(slots=True)
class Block:
    """Buckets of one device from ``start`` on, by slot."""

    resolution: int
    start: int
    columns: dict[int, Column] = field(default_factory=dict)

    @property
    def buckets(self) -> int:
        return SPANS[self.resolution] // self.resolution

    def column(self, slot: int) -> Column:
        if slot not in self.columns:
            self.columns[slot] = Column.empty(self.buckets)
        return self.columns[slot]

    def add(self, at: int, values: Mapping[int, float]) -> None:
        """Add the values of one moment."""
        bucket = (at - self.start) // self.resolution
        for slot, value in values.items():
            self.column(slot).add(bucket, 1, value, value, value)

    def take(self, finer: "Block", start: int, end: int) -> None:
        """Replace the buckets from ``start`` to ``end`` by those of a finer block."""
        size = self.resolution // finer.resolution
        for slot, column in finer.columns.items():
            mine = self.column(slot)
            for moment in range(start, end, self.resolution):
                first = (moment - finer.start) // finer.resolution
                at = (moment - self.start) // self.resolution
                mine.count[at] = 0
                if found := merged(column, first, first + size):
                    mine.add(at, *found)


def merged(column: Column, first: int, last: int) -> tuple[int, float, float, float] | None:
    """Return count, mean, lowest and highest value of a block's buckets together, or None."""
    counts = column.count[first:last]
    total = sum(counts)
    if not total:
        return None
    if len(counts) == 1:
        return total, column.mean[first], column.low[first], column.high[first]
    means = column.mean[first:last]
    lows, highs = column.low[first:last], column.high[first:last]
    if min(counts):
        sums = sum(map(float.__mul__, means, map(float, counts)))
        return total, sums / total, min(lows), max(highs)
    some = [at for at, count in enumerate(counts) if count]
    sums = sum(means[at] * counts[at] for at in some)
    return total, sums / total, min(lows[at] for at in some), max(highs[at] for at in some)


def start_of(resolution: int, at: int) -> int:
    """Return the start of the block in which a moment lies."""
    return at - at % SPANS[resolution]


def pack(block: Block) -> bytes:
    """Return the block as bytes."""
    parts = {slot: _deflated(one) for slot, one in sorted(block.columns.items())}
    head = [HEAD.pack(VERSION, block.buckets, len(parts))]
    head += [ENTRY.pack(slot, len(part)) for slot, part in parts.items()]
    return b"".join([*head, *parts.values()])


def unpack(
    resolution: int, start: int, data: bytes | memoryview, slots: Iterable[int] | None = None
) -> Block:
    """Return a block of its bytes, with these columns alone where ``slots`` are given."""
    view = memoryview(data)
    _, buckets, number = HEAD.unpack_from(view)
    wanted = None if slots is None else set(slots)
    block = Block(resolution, start)
    at = HEAD.size + ENTRY.size * number
    for entry in range(number):
        slot, size = ENTRY.unpack_from(view, HEAD.size + ENTRY.size * entry)
        if wanted is None or slot in wanted:
            block.columns[slot] = _inflated(view[at : at + size], buckets)
        at += size
    return block


def _deflated(column: Column) -> bytes:
    """Return a column as bytes: lowest and highest only where they differ from the mean."""
    rows: list[Sequence[float]] = [column.mean]
    if column.low != column.mean or column.high != column.mean:
        rows += [column.low, column.high]
    parts = [column.count.tobytes(), *(_regrouped(row, 4) for row in rows)]
    return zlib.compress(b"".join(parts), FAST)


def _inflated(data: bytes | memoryview, buckets: int) -> Column:
    raw = zlib.decompress(data)
    count = array("H")
    count.frombytes(raw[: 2 * buckets])
    rows = []
    for at in range(2 * buckets, len(raw), 4 * buckets):
        row = array("f")
        row.frombytes(_together(raw[at : at + 4 * buckets], 4))
        rows.append(row)
    if len(rows) == 1:
        rows = [rows[0], rows[0][:], rows[0][:]]
    return Column(count, *rows)


def _regrouped(row: "Sequence[float]", size: int) -> bytes:
    """Return the numbers' first bytes, then their second ones …: alike ones deflate better."""
    raw = array("f", row).tobytes()
    return b"".join(raw[at::size] for at in range(size))


def _together(raw: bytes, size: int) -> bytes:
    number = len(raw) // size
    whole = bytearray(len(raw))
    for at in range(size):
        whole[at::size] = raw[at * number : (at + 1) * number]
    return bytes(whole)
