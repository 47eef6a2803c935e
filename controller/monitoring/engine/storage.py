"""The contract of whatever keeps samples for long."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from controller.monitoring.engine.buckets import Buckets
from controller.monitoring.engine.points import Points


@dataclass(frozen=True, slots=True)
class Source:
    """Whose samples they are: the number that stands in rows, and the ids it stands for."""

    number: int
    device: UUID
    organization: UUID


@dataclass(frozen=True, slots=True)
class Sample:
    """The values of one device at one moment, by the name of the series."""

    source: Source
    at: int
    values: Mapping[str, float]


class Archive(Protocol):
    """Keeps samples and answers with the points of charts; times are seconds since the epoch."""

    def store(self, samples: Sequence[Sample]) -> None:
        """Keep these samples; raise :class:`ArchiveUnavailable` where that cannot be done."""

    def read(
        self, source: Source, series: Sequence[str], buckets: Buckets
    ) -> dict[str, Points]:
        """Return the points of these series that the archive holds."""

    def forget(self, numbers: Sequence[int], devices: Sequence[UUID]) -> None:
        """Remove all samples of devices that are gone."""


class ArchiveUnavailable(Exception):
    """The archive does not answer; what it was to keep is still in the portal's database."""
