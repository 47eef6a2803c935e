"""Sanitizing of device answers: known types, complete, and no active content."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

LARGEST_ANSWER = 1024 * 1024
LARGEST_JOURNAL = 10 * 1024 * 1024
DEEPEST = 64
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
NEW_KEY = re.compile(r"[A-Za-z0-9_]{16,128}")
# Supervisors before 12.2 report an update lock with this text.
LOCKED_ONCE = re.compile(r"updates are locked", re.IGNORECASE)
MARKUP = re.compile(r"<\s*[!/a-zA-Z]")
UNAUTHORIZED, NOT_FOUND, LOCKED, UNAVAILABLE = 401, 404, 423, 503
LOWEST_ERROR = 400
LONGEST_ERROR = 2000
REDIRECTS = range(300, 400)
STATUSES = range(200, 600)
# Harmless environment variables of containers; all others may be secrets.
HARMLESS = re.compile(r"(PATH|LANG|LC_.*|TZ|HOME|HOSTNAME|.*_(VERSION|NAME|TYPE|UUID|ARCH))")


@dataclass(frozen=True, slots=True)
class Reply:
    """Raw answer of a device."""

    status: int
    content_type: str = ""
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Sanitized answer. An empty body has no content type: clients would parse it."""

    status: int
    content_type: str = ""
    body: bytes = field(default=b"", repr=False)
    bad_because: str = ""
    """Reason why the answer cannot be passed on."""

    @property
    def is_locked(self) -> bool:
        return self.status == LOCKED

    @property
    def is_good(self) -> bool:
        return self.status < LOWEST_ERROR and not self.bad_because

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def value(self) -> Any:
        """Return the body as parsed JSON or text; None if empty."""
        if not self.body:
            return None
        return json.loads(self.body) if self.content_type == JSON else self.text


def read(reply: Reply) -> Answer:
    """Sanitize an answer. If it cannot be passed on, ``bad_because`` has the reason."""
    status = reply.status
    if status not in STATUSES or status in REDIRECTS:
        why = "It redirects" if status in REDIRECTS else "Its status is invalid"
        return Answer(status, bad_because=f"{why} ({status}), and is not followed.")
    return _typed(reply) if reply.body else Answer(status)


def _typed(reply: Reply) -> Answer:
    status = reply.status
    match reply.content_type.partition(";")[0].strip().lower():
        case "application/json":
            return _json(status, reply.body)
        # Journals have no content type.
        case "text/plain" | "":
            return _text(status, reply.body)
        case "text/html" if not MARKUP.search(reply.body[:4096].decode("utf-8", "replace")):
            return _text(status, reply.body)
        case "text/html":
            return Answer(status, bad_because="It is a page for browsers.")
    return Answer(status, bad_because="It has a type that no supervisor sends.")


def _json(status: int, body: bytes) -> Answer:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return Answer(status, bad_because="It claims to be JSON and is invalid.")
    if _depth(value) > DEEPEST:
        return Answer(status, bad_because="Its JSON is nested too deeply.")
    # Re-encoded, so that all parsers read the same.
    return Answer(status, JSON, json.dumps(value, separators=(",", ":")).encode())


def _text(status: int, body: bytes) -> Answer:
    text = body.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    if status == UNAVAILABLE and LOCKED_ONCE.search(text):
        status = LOCKED
    return Answer(status, TEXT, text.encode())


def _depth(value: Any) -> int:
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(one, dict):
            waiting += [(inner, depth + 1) for inner in one.values()]
        elif isinstance(one, list):
            waiting += [(inner, depth + 1) for inner in one]
    return deepest


def masked_environment(answer: Answer, mask: str) -> Answer:
    """Return the answer with the environments of containers masked."""
    value = answer.value
    if not isinstance(value, dict) or not isinstance(value.get("env"), dict):
        return answer
    value["env"] = {
        name: text if HARMLESS.fullmatch(name) else mask for name, text in value["env"].items()
    }
    return Answer(answer.status, JSON, json.dumps(value).encode())


def in_error_envelope(answer: Answer) -> Answer:
    """Return an error in Home Assistant's error envelope, also where a device sent plain text."""
    if answer.is_good or answer.bad_because or answer.content_type == JSON:
        return answer
    told = {"result": "error", "message": answer.text[:LONGEST_ERROR] or "Unknown error"}
    return Answer(answer.status, JSON, json.dumps(told).encode())
