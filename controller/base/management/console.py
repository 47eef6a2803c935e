"""Wait in a management command for other processes."""

import json
import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError


def pause(deadline: float, or_else: str) -> None:
    """Sleep briefly; raise CommandError once ``time.monotonic()`` exceeds `deadline`."""
    if time.monotonic() > deadline:
        raise CommandError(or_else)
    time.sleep(0.2)  # noqa: TID251 - waits for other processes, at a terminal


def described(path: Path, deadline: float) -> Any:
    """Wait for a demo program's description file and return its JSON content."""
    while not path.exists():
        pause(deadline, f"Nothing of the demo has written {path}; see the logs beside it.")
    return json.loads(path.read_text())
