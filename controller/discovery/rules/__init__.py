"""Looking at networks, and taking who was found into the inventory."""

from controller.discovery.rules.hosts import WRITE, adopt, look_at, matches, try_credentials
from controller.discovery.rules.scanning import (
    MOST_ACTIVE,
    RUN,
    cancel,
    drive,
    resume_lost,
    remove,
    start,
)

__all__ = [
    "MOST_ACTIVE", "RUN", "WRITE", "adopt", "cancel", "drive", "resume_lost", "look_at", "matches",
    "remove", "start", "try_credentials",
]  # fmt: skip
