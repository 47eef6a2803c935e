"""What the portal asks of a gateway, whoever made it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from controller.base.errors import OutcomeUnknown, Refused, TimedOut, Unreachable
from networks.gateways.engine.features import Feature

__all__ = [
    "Call",
    "Endpoint",
    "Gateway",
    "OutcomeUnknown",
    "Rejected",
    "TimedOut",
    "Unreachable",
]


class Rejected(Refused):
    """The gateway answered that it will not do this; it is as it was."""


@dataclass(frozen=True)
class Call:
    """A request that would be sent to write something."""

    method: str
    path: str
    body: Any = None


@dataclass(frozen=True)
class Endpoint:
    """Where a gateway is, and what opens it. The credentials are in no repr."""

    url: str
    credentials: Mapping[str, str] = field(repr=False)
    ca_certificate: str = ""
    # Whether it may be on this machine, without TLS: demonstrations and tests.
    is_local_allowed: bool = False
    seconds: float = 10.0
    # How long what it was told takes to be in effect, where it does not wait for that itself.
    settles: float = 4.0
    # The version that it told last, for those where asking takes long.
    version: str = ""
    # Then it reads, and writes nothing: what it would send is in ``calls``.
    rehearses: bool = False


class Gateway(Protocol):
    """A connection. Every method raises what this module names, and nothing else.

    ``Unreachable`` and ``TimedOut`` mean that nothing was done; ``OutcomeUnknown`` that it may
    have been; ``Rejected`` that it was not, because the gateway does not want it.
    """

    calls: list[Call]

    @property
    def version(self) -> str:
        """The version of its software, as it tells it."""
        ...

    def check(self, feature: Feature, names: Iterable[str] = ()) -> None:
        """Raise ``Rejected`` unless its version takes a feature with these properties."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def facts(self) -> dict[str, str]:
        """``version`` and ``name`` as it tells them."""
        ...

    def ids(self, feature: Feature, within: Mapping[str, str]) -> list[str]:
        """What of this kind there is; ``within`` may say where to look."""
        ...

    def read(self, feature: Feature, target: str) -> dict[str, str] | None:
        """One of them, without its secrets; None where there is none."""
        ...

    def lasting(self, feature: Feature, target: str) -> str:
        """An id of the same thing that no other change gives to another one.

        Nothing of the thing is changed but its name. ``Unreachable`` means that there is none.
        """
        ...

    def started(self, feature: Feature, values: Mapping[str, str]) -> str:
        """What is another after the deed: when the gateway booted, or its last task."""
        ...

    def write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, Any]
    ) -> str:
        """Create, update or delete; the id of what was created or changed."""
        ...

    def activate(self, feature: Feature) -> None:
        """Put what was written into effect; may be called again."""
        ...
