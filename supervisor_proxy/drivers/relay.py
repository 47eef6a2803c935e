"""How calls get to the process that holds an agent's socket, and answers back: lists in Redis.

Every process may call, one has the socket. Whoever has it says so under the agent's name, for
some seconds. What goes to an agent is one list, what comes back is one for each call. A text is
JSON (``type`` and ``id``), anything else a part of a body behind the call's 16 bytes. Neither
side sends a part before the other has room for it, so nothing grows.
"""

import json
from typing import Any
from uuid import UUID, uuid4

PART = 48 * 1024
WINDOW = 16
PRESENT_SECONDS = 40
# What nobody came for is dropped.
KEPT_SECONDS = 180
ID = 16


def presence(agent: str) -> str:
    return f"muster:home:{agent}"


def inbox(agent: str, instance: str) -> str:
    return f"muster:home:{agent}:{instance}"


def outbox(agent: str, call: str) -> str:
    return f"muster:home:{agent}:call:{call}"


def text(kind: str, call: str, **values: Any) -> bytes:
    return json.dumps({"type": kind, "id": call, **values}).encode()


def part(call: str, data: bytes) -> bytes:
    return UUID(call).bytes + data


def new_call() -> str:
    """An identifier whose first byte is none that a text begins with."""
    return "00" + uuid4().hex[2:]


def is_text(message: bytes) -> bool:
    return message[:1] == b"{"
