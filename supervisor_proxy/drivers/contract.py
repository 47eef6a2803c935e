"""Contract of supervisor drivers. They take and return values, never rows."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from controller.base.errors import OutcomeUnknown
from supervisor_proxy.engine.answers import LARGEST_ANSWER, Reply


class BadAnswer(OutcomeUnknown):
    """The call arrived, but the answer is invalid or too large."""


@dataclass(frozen=True, slots=True)
class Target:
    """Address and credentials of one supervisor."""

    host: str
    """Address assigned by the portal; never a host name."""
    port: int
    key: str = field(default="", repr=False)
    version: str = ""
    agent: str = ""
    """Id of the connected agent, instead of an address."""


@dataclass(frozen=True, slots=True)
class Order:
    """One call with its limits."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] | None = None
    seconds: float = 30.0
    """Timeout of the whole call."""
    largest: int = LARGEST_ANSWER
    request_id: str = ""
    accept: str = ""
    content: bytes = field(default=b"", repr=False)
    """Raw body, instead of ``data``."""
    kind: str = "json"
    """Expected kind of answer: ``json``, ``text`` or ``image``."""
    byte_range: str = ""
    as_form: bool = True
    """Whether an uploaded file is sent as a form."""
    follows: bool = False
    """Whether the answer continues until the client disconnects."""


class Driver(Protocol):
    async def call(self, target: Target, order: Order) -> Reply:
        """Make one call.

        Raises Unreachable if it certainly did not arrive, OutcomeUnknown if it may have
        arrived, and BadAnswer if the answer is invalid.
        """


@dataclass(frozen=True, slots=True)
class Download:
    """An answer that is streamed in parts."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    parts: Iterator[bytes]


class Streaming(Driver, Protocol):
    """Driver that also streams uploads and downloads."""

    def download(self, target: Target, order: Order) -> AbstractContextManager[Download]:
        """Start a download. Raises like ``call``, before the first part."""

    def upload(
        self, target: Target, order: Order, parts: Iterable[bytes], *, size: int | None
    ) -> Reply:
        """Stream a file, as the body or as a form's only file, as the order says."""
