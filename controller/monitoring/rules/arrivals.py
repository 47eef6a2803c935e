"""Reports as they arrive, before they are stored."""

from dataclasses import dataclass
from uuid import UUID

from controller.monitoring.engine.report import Report
from controller.monitoring.models import (
    Sample,
)


@dataclass(slots=True)
class Arrival:
    """A report with its times in seconds, and the body that it came in."""

    device: UUID
    at: int
    arrived: int
    report: Report
    body: bytes = b""
    kind: int = Sample.Kind.REPORT
