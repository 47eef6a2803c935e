"""Wait for gateways that answer before what they were asked for is in effect."""

import threading
import time
from collections.abc import Callable

PAUSE = 0.2


def is_done_within(seconds: float, is_done: Callable[[], bool]) -> bool:
    """Ask until it is done, for that many seconds; return whether it is."""
    pause, end = threading.Event(), time.monotonic() + seconds
    while not is_done():
        if time.monotonic() >= end:
            return False
        pause.wait(PAUSE)
    return True
