"""Who is at work, from where, and under which request id: for answers, logs and the audit."""

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
    """What is asked of a user here."""

    @property
    def pk(self) -> UUID: ...

    def get_username(self) -> str: ...


@dataclass
class RequestContext:
    """One request or one task; the actor is filled in once it is known."""

    request_id: str
    address: str = ""
    actor: str = ""
    actor_id: UUID | None = None
    # How the actor signed in: session, token, key, browser; or the name of a task.
    channel: str = ""

    def name(self, user: Person, channel: str) -> None:
        self.actor, self.actor_id, self.channel = user.get_username(), user.pk, channel


_current: ContextVar[RequestContext] = ContextVar("trace")


def current_context() -> RequestContext:
    """The trace of this request or task; one of its own for what runs outside of both."""
    found = _current.get(None)
    if found is None:
        found = RequestContext(request_id=new_id(), channel="command")
        _current.set(found)
    return found


def context_or_none() -> RequestContext | None:
    """The trace of this request or task, if there is one."""
    return _current.get(None)


def new_id() -> str:
    return uuid4().hex


def id_for(given: str) -> str:
    """The request id for what a client sent: marked as the client's, or one of our own."""
    return f"ext-{given[:LONGEST_GIVEN]}" if GIVEN.fullmatch(given) else new_id()


@contextmanager
def use_context(trace: RequestContext) -> Iterator[RequestContext]:
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


class ContextLogFilter(Filter):
    """Lets every line of a log name its request, and the task or way in that it came by."""

    def filter(self, record: LogRecord) -> bool:
        found = _current.get(None)
        record.request_id = found.request_id if found else "-"
        record.channel = found.channel if found else ""
        return True
