"""Recordings of terminals."""

import codecs
import json
import time
from uuid import UUID

from controller.connections.models import Terminal, TerminalPart

# Output is buffered up to this size before it is stored.
WRITE_BYTES = 32 * 1024
LARGEST_RECORDING = 20 * 1024 * 1024


class Recording:
    """Recording of a terminal, stored in parts (asciicast version 2)."""

    def __init__(self, terminal_id: UUID) -> None:
        self.terminal_id = terminal_id
        self.began = time.monotonic()
        self.number = 0
        self.size = 0
        self.events: list[str] = []
        self.waiting = 0
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def show(self, data: bytes) -> None:
        self._note("o", self.decoder.decode(data))

    def resize(self, columns: int, rows: int) -> None:
        self._note("r", f"{columns}x{rows}")

    def _note(self, kind: str, text: str) -> None:
        if not text or self.size > LARGEST_RECORDING:
            return
        line = json.dumps([round(time.monotonic() - self.began, 3), kind, text])
        self.events.append(line)
        self.size += len(line)
        self.waiting += len(line)

    @property
    def is_due(self) -> bool:
        return self.waiting > WRITE_BYTES

    def write(self) -> None:
        if not self.events:
            return
        data = ("\n".join(self.events) + "\n").encode()
        TerminalPart.objects.create(
            terminal_id=self.terminal_id, number=self.number, events=data
        )
        self.events, self.waiting = [], 0
        self.number += 1


def played(terminal: Terminal) -> str:
    """Return the recording as an asciicast."""
    began = terminal.opened or terminal.created
    head = {
        "version": 2,
        "width": terminal.columns,
        "height": terminal.rows,
        "timestamp": int(began.timestamp()),
        "title": f"{terminal.device} by {terminal.actor}",
    }
    parts = TerminalPart.objects.filter(terminal=terminal).order_by("number")
    return json.dumps(head) + "\n" + "".join(bytes(part.events).decode() for part in parts)
