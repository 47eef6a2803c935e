"""Relay between callers and the process with an agent's socket, via Redis.

Any process may call; one holds the socket and keeps a presence key with an expiry. Messages
to an agent use one list, answers one list per call. A text message is JSON (``type`` and
``id``), any other message a body part prefixed with the call's 16 bytes. Window-based flow
control bounds the lists.
"""

import json
from typing import Any
from uuid import UUID, uuid4

PART = 48 * 1024
WINDOW = 16
PRESENT_SECONDS = 40
# Expiry of unread messages.
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
    """Return an id with a first byte that no text message starts with."""
    return "00" + uuid4().hex[2:]


def is_text(message: bytes) -> bool:
    return message[:1] == b"{"
