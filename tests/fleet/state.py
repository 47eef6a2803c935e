"""State files of demo programs, which run until they are stopped."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any


def kept(path: Path) -> dict[str, Any]:
    """Return the previous state, to keep ports and keys."""
    return json.loads(path.read_text()) if path.exists() else {}


async def tell_and_run(path: Path, told: dict[str, Any]) -> None:
    whole = path.with_suffix(".new")
    whole.write_text(json.dumps(told))
    whole.rename(path)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()
