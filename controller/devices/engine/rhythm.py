"""The rhythm of a device: how often it is heard of, learned from its own requests."""

from collections.abc import Sequence

KEPT = 4
# The requests of one poll (checksum, download, status) follow each other within this time.
ONE_POLL = 20
LONGEST = 6 * 3600
# What an agent is given before its rhythm is known: agents poll every two to five minutes.
USUAL = 300
SHORTEST_SILENCE = 300
INTERVALS = 2.5


def with_gap(gaps: Sequence[int], seconds: float) -> list[int]:
    """Return the newest gaps between requests, with one of so many seconds added.

    Requests of one poll, and pauses of hours, do not count.
    """
    if not ONE_POLL <= seconds <= LONGEST:
        return list(gaps)
    return [*gaps, round(seconds)][-KEPT:]


def interval(gaps: Sequence[int]) -> int:
    """Return the seconds between two polls.

    It is the second longest of the newest gaps: one outage does not count, and neither do
    requests in between.
    """
    return sorted(gaps)[-2] if len(gaps) > 1 else USUAL


def longest_silence(gaps: Sequence[int]) -> float:
    """Return after how many seconds without a request the device counts as offline."""
    return max(SHORTEST_SILENCE, INTERVALS * interval(gaps))
