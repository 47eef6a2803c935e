"""Contract of gateway drivers, and the errors they raise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from controller.base.errors import OutcomeUnknown, Refused, TimedOut, Unreachable
from networks.gateways.engine.backups import BackupFile
from networks.gateways.engine.features import Feature
from networks.gateways.engine.live import Asked
from networks.gateways.engine.measurements import Measured

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
    """The gateway rejected the write; nothing was changed."""


@dataclass(frozen=True)
class Call:
    """A write request that a dry run would send."""

    method: str
    path: str
    body: Any = None


@dataclass(frozen=True)
class Endpoint:
    """Address and credentials of a gateway. Credentials are excluded from the repr."""

    url: str
    credentials: Mapping[str, str] = field(repr=False)
    ca_certificate: str = ""
    # SHA-256 of the one certificate that is taken; then nothing else is trusted.
    fingerprint: str = ""
    seconds: float = 10.0
    # How long what it was told takes to be in effect, where it does not wait for that itself.
    settles: float = 4.0
    # Last known version, for gateways where reading it is slow.
    version: str = ""
    # Dry run: writes are recorded in ``calls`` instead of sent.
    rehearses: bool = False


class Gateway(Protocol):
    """A connection to a gateway. Methods raise only the errors of this module.

    ``Unreachable`` and ``TimedOut`` mean that nothing was done, ``OutcomeUnknown`` that the
    write may have been done, and ``Rejected`` that the gateway refused the write.
    """

    calls: list[Call]

    @property
    def version(self) -> str:
        """Return the gateway's software version."""
        ...

    def check(self, feature: Feature, values: Mapping[str, str] | None = None) -> None:
        """Raise ``Rejected`` unless this version supports the feature and properties."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def facts(self) -> dict[str, str]:
        """Return the gateway's ``version`` and ``name``."""
        ...

    def measure(self) -> list[Measured]:
        """Return what the gateway, and each device that it manages, measures."""
        ...

    def live(self, part: str, asked: Asked) -> list[dict[str, Any]]:
        """Return the rows of a part of the live view; ``asked`` says what a tool is to do."""
        ...

    def read_list(self, path: str) -> list[dict[str, Any]]:
        """Return a list of the vendor's as it tells it."""
        ...

    def ids(self, feature: Feature, within: Mapping[str, str]) -> list[str]:
        """Return the ids of the feature's objects. ``within`` may narrow the scope."""
        ...

    def ordered(self, feature: Feature, target: str, within: Mapping[str, str]) -> list[str]:
        """Return the ids among which the order of a rule counts, in their order."""
        ...

    def read(self, feature: Feature, target: str) -> dict[str, str] | None:
        """Return one object without its secrets, or None if it does not exist."""
        ...

    def lasting(self, feature: Feature, target: str) -> str:
        """Return a permanent id of the object, which no later change gives to another one.

        Nothing of the thing is changed but its name. ``Unreachable`` means that there is none.
        """
        ...

    def started(self, feature: Feature, values: Mapping[str, str]) -> str:
        """Return a marker that an action changes: the boot time or the last task."""
        ...

    def write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, Any]
    ) -> str:
        """Create, update or delete an object. Returns its id."""
        ...

    def activate(self, feature: Feature) -> None:
        """Activate what was written. Idempotent."""
        ...

    def back_up(self) -> BackupFile:
        """Return the whole configuration. Raises ``Rejected`` if it cannot be had."""
        ...

    def restore(self, backup: BackupFile) -> None:
        """Put a whole configuration back, and restart. Raises like `write`."""
        ...
