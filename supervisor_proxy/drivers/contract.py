"""What a way to a supervisor takes and gives: values only, never rows."""

from collections.abc import Mapping
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


class Driver(Protocol):
    async def call(self, target: Target, order: Order) -> Reply:
        """Make one call.

        Raises Unreachable if it certainly did not arrive, OutcomeUnknown if it may have,
        BadAnswer if what came back is none.
        """
