"""What a way to a supervisor takes and gives: values only, never rows."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from controller.base.errors import OutcomeUnknown
from supervisor_proxy.engine.answers import LARGEST_ANSWER, Reply


class BadAnswer(OutcomeUnknown):
    """Something came back that is no answer, or too much of one; the call did arrive."""


@dataclass(frozen=True, slots=True)
class Target:
    """One supervisor, and what it lets in."""

    host: str
    """An address the portal assigned; never a name."""
    port: int
    key: str = field(default="", repr=False)
    version: str = ""
    agent: str = ""
    """Which agent stands for it, where one does; it has no address then."""


@dataclass(frozen=True, slots=True)
class Order:
    """One call, as it is to arrive."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] | None = None
    seconds: float = 30.0
    """For all of it."""
    largest: int = LARGEST_ANSWER
    request_id: str = ""
    accept: str = ""
    content: bytes = field(default=b"", repr=False)
    """Instead of ``data``, where the body is bytes."""
    kind: str = "json"
    """What the answer is to be: ``json``, ``text`` or an ``image``."""
    byte_range: str = ""
    as_form: bool = True
    """Whether a file that is sent is a form's."""
    follows: bool = False
    """Whether the answer goes on until somebody leaves."""


class Driver(Protocol):
    async def call(self, target: Target, order: Order) -> Reply:
        """Make one call.

        Raises Unreachable if it certainly did not arrive, OutcomeUnknown if it may have,
        BadAnswer if what came back is none.
        """


@dataclass(frozen=True, slots=True)
class Download:
    """An answer that comes part by part."""

    status: int
    headers: Mapping[str, str]
    """Their names in small letters."""
    parts: Iterator[bytes]


class Streaming(Driver, Protocol):
    """A way that takes and gives what is too large to be whole anywhere."""

    def download(self, target: Target, order: Order) -> AbstractContextManager[Download]:
        """Begin it; raises as ``call`` does, before the first part."""

    def upload(
        self, target: Target, order: Order, parts: Iterable[bytes], *, size: int | None
    ) -> Reply:
        """Send a file part by part: as it is, or as the only one of a form, as the order says."""
