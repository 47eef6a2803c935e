"""Rules of scans, and of adding found hosts to the inventory."""

from controller.discovery.rules.host_probes import (
    WRITE,
    adopt,
    look_at,
    matches,
    try_credentials,
)
from controller.discovery.rules.scans import (
    MOST_ACTIVE,
    RUN,
    cancel,
    drive,
    remove,
    resume_lost,
    start,
)

__all__ = [
    "MOST_ACTIVE",
    "RUN",
    "WRITE",
    "adopt",
    "cancel",
    "drive",
    "look_at",
    "matches",
    "remove",
    "resume_lost",
    "start",
    "try_credentials",
]  # fmt: skip
