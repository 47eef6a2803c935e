"""The contract of an archive outside of the portal's own database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from controller.monitoring.engine.buckets import Buckets
from controller.monitoring.engine.points import Points


@dataclass(frozen=True, slots=True)
class Source:
    """Whose samples they are: the number that stands in rows, and the ids it stands for."""

    number: int
    device: str
    organization: str


@dataclass(frozen=True, slots=True)
class Sample:
    """The values of one source at one moment, by the name of the series."""

    source: Source
    at: int
    values: Mapping[str, float]


class Archive(Protocol):
    """Keeps samples and answers with the points of charts; times are seconds since the epoch."""

    def store(self, samples: Sequence[Sample]) -> None:
        """Keep these samples; raise :class:`ArchiveUnavailable` where that cannot be done."""

    def read(self, number: int, series: Sequence[str], buckets: Buckets) -> dict[str, Points]:
        """Return the points of these series that the archive holds."""


class ArchiveUnavailable(Exception):
    """The archive does not answer; what it was to keep is still in the portal's database."""
