"""What apps learn of how devices are, for the app that keeps and judges it.

Neither knows the other: monitoring registers what takes reports, and who has some tells them.
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

# NetJSON DeviceMonitoring of some devices, by their ids.
Reports = Mapping[UUID, dict[str, Any]]
TAKERS: list[Callable[[Reports], object]] = []


def register_taker(take: Callable[[Reports], object]) -> None:
    """Have reports of other apps handed to this function; registering twice is once."""
    if take not in TAKERS:
        TAKERS.append(take)


def tell_measurements(reports: Reports) -> None:
    """Hand reports to whatever keeps them."""
    for take in TAKERS if reports else ():
        take(reports)
