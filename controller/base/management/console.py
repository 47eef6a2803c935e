"""Waiting, at a terminal, for what other processes do."""

import json
import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError


def pause(deadline: float, or_else: str) -> None:
    """A moment, until it is so late (by ``time.monotonic``) that the command fails."""
    if time.monotonic() > deadline:
        raise CommandError(or_else)
    time.sleep(0.2)  # noqa: TID251 - waits for other processes, at a terminal


def described(path: Path, deadline: float) -> Any:
    """What a program of the demo says of itself, once it runs."""
    while not path.exists():
        pause(deadline, f"Nothing of the demo has written {path}; see the logs beside it.")
    return json.loads(path.read_text())
