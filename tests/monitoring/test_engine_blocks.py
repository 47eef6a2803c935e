"""Samples in vectors, blocks and buckets: what is packed is read, and sums stay sums."""

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.monitoring.engine import blocks, buckets, vectors
from controller.monitoring.engine.blocks import DAY, FIVE_MINUTES, HOUR, Block
from controller.monitoring.engine.buckets import NotARange, cut
from controller.monitoring.engine.points import gather, resolution_for

LISBON = ZoneInfo("Europe/Lisbon")
NOON = int(datetime(2025, 11, 30, 12, tzinfo=UTC).timestamp())
DAY_START = NOON - NOON % DAY

values = st.floats(-1e6, 1e6, width=32)
vector = st.dictionaries(st.integers(0, 30), values)
moments = st.lists(st.integers(0, DAY - 1), unique=True, max_size=40)


@given(vector)
def test_a_packed_vector_is_read_as_it_was(found: dict[int, float]) -> None:
    assert vectors.known(vectors.pack(found)) == found
    assert vectors.known(vectors.pack(found, wide=True), wide=True) == found


@given(st.dictionaries(moments.map(tuple), vector, max_size=3))
def test_a_packed_block_is_read_as_it_was(
    found: dict[tuple[int, ...], dict[int, float]],
) -> None:
    block = Block(FIVE_MINUTES, DAY_START)
    for some, measured in found.items():
        for at in some:
            block.add(DAY_START + at, measured)
    again = blocks.unpack(FIVE_MINUTES, DAY_START, blocks.pack(block))
    assert again == block


def test_one_column_of_a_block_is_read_alone() -> None:
    block = Block(FIVE_MINUTES, DAY_START)
    block.add(DAY_START, {0: 1.0, 5: 2.0, 9: 3.0})
    again = blocks.unpack(FIVE_MINUTES, DAY_START, blocks.pack(block), [5])
    assert again.columns == {5: block.columns[5]}


def day_of(samples: dict[int, float]) -> Block:
    block = Block(FIVE_MINUTES, DAY_START)
    for at, value in samples.items():
        block.add(DAY_START + at, {0: value})
    return block


def test_an_hour_keeps_count_mean_lowest_and_highest_of_its_samples() -> None:
    fine = day_of({0: 1.0, 10: 3.0, 301: 8.0, 3600: 5.0})
    hours = Block(HOUR, blocks.start_of(HOUR, DAY_START))
    hours.take(fine, DAY_START, DAY_START + DAY)
    column = hours.columns[0]
    at = (DAY_START - hours.start) // HOUR
    assert column.count[at : at + 3].tolist() == [3, 1, 0]
    assert (column.mean[at], column.low[at], column.high[at]) == (4, 1, 8)
    assert column.mean[at + 1] == 5


def test_to_roll_up_twice_changes_nothing() -> None:
    fine = day_of({0: 1.0, 4000: 3.0})
    hours = Block(HOUR, blocks.start_of(HOUR, DAY_START))
    hours.take(fine, DAY_START, DAY_START + DAY)
    once = blocks.pack(hours)
    hours.take(fine, DAY_START, DAY_START + DAY)
    assert blocks.pack(hours) == once


@given(st.dictionaries(st.integers(0, DAY - 1), st.integers(0, 1000), max_size=60))
def test_increments_add_up_to_the_same_in_samples_and_in_every_resolution(
    samples: dict[int, int],
) -> None:
    fine = day_of({at: float(value) for at, value in samples.items()})
    found = {FIVE_MINUTES: fine}
    for resolution in (HOUR, DAY):
        block = Block(resolution, blocks.start_of(resolution, DAY_START))
        block.take(fine, DAY_START, DAY_START + DAY)
        found[resolution] = block
    day = cut(DAY_START, DAY_START + DAY, HOUR * 4)
    whole = cut(DAY_START, DAY_START + DAY, DAY)
    totals = []
    for resolution, block in found.items():
        range_ = whole if resolution == DAY else day
        points = gather(range_, [block], [], [0])[0]
        totals.append(sum(one for one in points.sums() if one is not None))
    rows = [(DAY_START + at, {0: float(value)}) for at, value in samples.items()]
    points = gather(day, [], rows, [0])[0]
    totals.append(sum(one for one in points.sums() if one is not None))
    assert totals == pytest.approx([sum(samples.values())] * 4, rel=1e-5, abs=0.01)


def test_samples_that_are_in_no_block_yet_join_those_that_are() -> None:
    block = day_of({0: 2.0})
    points = gather(
        cut(DAY_START, DAY_START + HOUR, HOUR), [block], [(DAY_START + 600, {0: 4.0})], [0, 1]
    )
    assert (points[0].count, points[0].mean) == ([2], [3])
    assert (points[0].low, points[0].high) == ([2], [4])
    assert points[1].is_empty


def test_buckets_without_samples_stay_open() -> None:
    range_ = cut(DAY_START, DAY_START + 3 * HOUR, HOUR)
    points = gather(range_, [day_of({0: 1.0, 2 * HOUR: 2.0})], [], [0])[0]
    assert points.mean == [1, None, 2]


def test_days_begin_at_midnight_in_the_zone_and_have_23_or_25_hours() -> None:
    start = int(datetime(2025, 10, 25, 12, tzinfo=LISBON).timestamp())
    end = int(datetime(2025, 10, 28, 1, tzinfo=LISBON).timestamp())
    found = cut(start, end, DAY, LISBON)
    assert found.labels() == [f"2025-10-{day} 00:00" for day in (25, 26, 27, 28)]
    lengths = [(b - a) // HOUR for a, b in zip(found.edges, found.edges[1:], strict=False)]
    assert lengths == [24, 25, 24, 24]


def test_buckets_of_hours_follow_a_zone_of_half_hours() -> None:
    zone = ZoneInfo("Asia/Kolkata")
    found = cut(NOON, NOON + 4 * HOUR, HOUR, zone)
    assert all(label.endswith(":00") for label in found.labels())


@pytest.mark.parametrize(
    ("text", "step"),
    [("1d", 600), ("3d", 1200), ("7d", 3600), ("30d", DAY), ("365d", 7 * DAY), ("2d", 600),
     ("5d", 2100), ("10d", 3600), ("28d", 4 * 3600), ("100d", DAY), ("300d", 7 * DAY)],
)  # fmt: skip
def test_ranges_have_the_buckets_that_openwisp_gives_them(text: str, step: int) -> None:
    found = buckets.openwisp_range(text, NOON, LISBON)
    assert found.step == step
    assert found.end >= NOON
    assert len(found.edges) <= 370


@pytest.mark.parametrize("text", ["", "7", "0d", "366d", "-1d", "7h", "1000d", "7d "])
def test_other_ranges_are_refused(text: str) -> None:
    with pytest.raises(NotARange, match="Time range not supported"):
        buckets.openwisp_range(text, NOON, LISBON)


def test_a_week_starts_at_midnight_six_days_ago() -> None:
    assert buckets.openwisp_range("7d", NOON, LISBON).labels()[0] == "2025-11-24 00:00"


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2025-11-30", "2025-11-30 10:00:00", "Incorrect custom date format"),
        ("2025-11-29 00:00:00", "2025-11-28 00:00:00", "start_date cannot be greater than end"),
        (
            "2025-12-01 00:00:00",
            "2025-12-02 00:00:00",
            "start_date cannot be greater than today",
        ),
        ("2025-11-30 00:00:00", "2025-12-02 00:00:00", "end_date cannot be greater than today"),
        ("2024-11-01 00:00:00", "2025-11-30 00:00:00", "shouldn't be greater than 365 days"),
        ("0001-01-01 00:00:00", "0001-01-02 00:00:00", "start_date cannot be before 1970"),
    ],
)
def test_odd_dates_are_refused(start: str, end: str, said: str) -> None:
    for zone in (UTC, LISBON, buckets.zone_of("Asia/Tokyo")):
        with pytest.raises(NotARange, match=said):
            buckets.openwisp_dates(start, end, NOON, zone)


def test_the_coarsest_data_that_fits_is_read() -> None:
    year = buckets.page_range("1y", NOON, UTC)
    assert resolution_for(year, 0, 0) == DAY
    assert resolution_for(buckets.page_range("1y", NOON, LISBON), 0, 0) == HOUR
    assert resolution_for(buckets.page_range("24h", NOON, UTC), 0, 0) == FIVE_MINUTES
    assert resolution_for(buckets.page_range("24h", NOON, UTC), NOON, 0) == HOUR
    assert resolution_for(buckets.page_range("24h", NOON, UTC), NOON, NOON) == DAY


@pytest.mark.parametrize("name", list(buckets.PAGE_RANGES))
def test_a_chart_of_a_page_has_at_most_370_points(name: str) -> None:
    assert len(buckets.page_range(name, NOON, LISBON).edges) <= 371


def test_a_range_by_hand_is_cut_to_what_a_chart_can_show() -> None:
    found = buckets.chosen_range(NOON - 3 * DAY, NOON + DAY, NOON, UTC)
    assert found.step == 1200
    for start, end in ((NOON, NOON - 1), (NOON + 5, NOON + 10), (NOON - 400 * DAY, NOON)):
        with pytest.raises(NotARange):
            buckets.chosen_range(start, end, NOON, UTC)


def test_missing_values_are_no_numbers() -> None:
    assert math.isnan(vectors.unpack(vectors.pack({1: 5.0}))[0])
