"""Context of a request or task: actor, address, request id. For logs and audit."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from logging import Filter, LogRecord
from typing import Protocol
from uuid import UUID, uuid4

GIVEN = re.compile(r"[A-Za-z0-9_-]{1,128}")
LONGEST_GIVEN = 124


class Person(Protocol):
    """Attributes of a user that the context needs."""

    @property
    def pk(self) -> UUID: ...

    def get_username(self) -> str: ...


@dataclass
class RequestContext:
    """Context of one request or task; the actor is set after authentication."""

    request_id: str
    address: str = ""
    actor: str = ""
    actor_id: UUID | None = None
    # How the actor authenticated (session, token, key, browser), or the task's name.
    channel: str = ""

    def name(self, user: Person, channel: str) -> None:
        self.actor, self.actor_id, self.channel = user.get_username(), user.pk, channel


_current: ContextVar[RequestContext] = ContextVar("trace")


def current_context() -> RequestContext:
    """Return the context of this request or task, creating one for other code."""
    found = _current.get(None)
    if found is None:
        found = RequestContext(request_id=new_id(), channel="command")
        _current.set(found)
    return found


def context_or_none() -> RequestContext | None:
    """Return the context of this request or task, or None."""
    return _current.get(None)


def new_id() -> str:
    return uuid4().hex


def id_for(given: str) -> str:
    """Return the client's request id prefixed with ``ext-``, or a new id if invalid."""
    return f"ext-{given[:LONGEST_GIVEN]}" if GIVEN.fullmatch(given) else new_id()


@contextmanager
def use_context(trace: RequestContext) -> Iterator[RequestContext]:
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


class ContextLogFilter(Filter):
    """Log filter that adds the request id and channel to every record."""

    def filter(self, record: LogRecord) -> bool:
        found = _current.get(None)
        record.request_id = found.request_id if found else "-"
        record.channel = found.channel if found else ""
        return True
