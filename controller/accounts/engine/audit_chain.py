"""Serialization of audit entries, and the hash chain that binds them."""

import hashlib
import hmac
import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from controller.base.masking import MASK, masked

LONGEST_TEXT = 4000
LARGEST_VALUE = 16 * 1024
State = Mapping[str, Any]


def plain(value: Any) -> Any:
    """Convert a value to JSON that reads back identically from any database."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {_text(str(key)): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    return _number(value) if isinstance(value, float) else _text(_words(value))


def _number(value: float) -> int | str:
    # PostgreSQL writes out 1e22 in full, which reads back as an integer.
    return int(value) if math.isfinite(value) and value.is_integer() else str(value)


def _words(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(bytes(value))} bytes, sha256 {hashlib.sha256(bytes(value)).hexdigest()}"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    # Geometries by their WKT, rows by their key, files by their name.
    found = (getattr(value, name) for name in ("wkt", "pk", "name") if hasattr(value, name))
    return str(next(found, value) or "")


def _text(value: str) -> str:
    return value.replace("\0", "").encode(errors="replace").decode()


def shown(name: str, value: Any) -> Any:
    """Return a plain value with secrets masked and long content truncated."""
    value = masked(value, name)
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"{value[:LONGEST_TEXT]}… ({len(value)} characters)"
    if isinstance(value, dict | list):
        text = json.dumps(value)
        if len(text) > LARGEST_VALUE:
            return f"{len(text)} characters, sha256 {hashlib.sha256(text.encode()).hexdigest()}"
    return value


def changes(
    before: State | None, after: State | None, hidden: frozenset[str] = frozenset()
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return both states reduced to their differences; values of ``hidden`` are masked."""
    old = None if before is None else {name: plain(value) for name, value in before.items()}
    new = None if after is None else {name: plain(value) for name, value in after.items()}
    if old is not None and new is not None:
        names = [name for name in new if old.get(name) != new[name]]
        old = {name: old.get(name) for name in names}
        new = {name: new[name] for name in names}

    def show(state: dict[str, Any] | None) -> dict[str, Any] | None:
        if state is None:
            return None
        return {
            name: (MASK if value else value) if name in hidden else shown(name, value)
            for name, value in state.items()
        }

    return show(old), show(new)


def digest(key: bytes, content: Mapping[str, Any]) -> str:
    """Return the HMAC-SHA256 of this content in hex."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def link(key: bytes, previous: str, number: int, content_digest: str) -> str:
    """Return the seal that binds this entry to all entries before it."""
    return digest(key, {"previous": previous, "number": number, "content": content_digest})
