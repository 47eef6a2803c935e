"""Base of all drivers: error mapping and version-dependent property names."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, ClassVar

from controller.base.errors import Refused
from networks.gateways.drivers.contract import OutcomeUnknown, Rejected, Unreachable
from networks.gateways.engine.features import Feature
from networks.gateways.engine.features.versions import (
    NAMES,
    Version,
    caution,
    parsed,
)


class Driver(ABC):
    """Base class. Subclasses implement the underscore methods for their vendor.

    Unexpected exceptions of subclasses, caused by unknown answers, become
    ``OutcomeUnknown`` if a write was sent, otherwise ``Unreachable``.
    """

    vendor: ClassVar[str]
    # Whether a write was sent; set by the connection.
    has_sent: bool

    @cached_property
    def version(self) -> str:
        """Return the gateway's software version, read once per connection."""
        with self._guarded():
            return self._version()[:64]

    @property
    def parsed_version(self) -> Version:
        return parsed(self.version)

    def facts(self) -> dict[str, str]:
        with self._guarded():
            return {"version": self.version, "name": self._label()[:64]}

    def check(self, feature: Feature, names: Iterable[str] = ()) -> None:
        """Raise ``Rejected`` unless this version supports the feature and properties."""
        if reason := caution(self.vendor, self.version):
            raise Rejected(reason)
        if lacking := feature.lacking(self.parsed_version, names):
            what, since = lacking
            raise Rejected(
                f"{what} needs {NAMES[self.vendor]} {since} or newer, and this is {self.version}."
            )

    def lasting(self, feature: Feature, target: str) -> str:
        with self._guarded():
            return self._lasting(feature, target)

    def started(self, feature: Feature, values: Mapping[str, str]) -> str:
        with self._guarded():
            return self._started(feature, values)

    def ids(self, feature: Feature, within: Mapping[str, str]) -> list[str]:
        with self._guarded():
            return self._ids(self._spelled(feature), within)

    def read(self, feature: Feature, target: str) -> dict[str, str] | None:
        with self._guarded():
            found = self._read(self._spelled(feature), target)
            if found is None or not feature.spellings:
                return found
            return feature.inward(found, self.parsed_version)

    def write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, Any]
    ) -> str:
        with self._guarded():
            self.check(feature, values)
            sent = feature.outward(values, self.parsed_version)
            return self._write(self._spelled(feature), operation, target, sent)

    def activate(self, feature: Feature) -> None:
        with self._guarded():
            self._activate(feature)

    def _spelled(self, feature: Feature) -> Feature:
        # Most features are equal in all versions: do not read the version for them.
        return feature.at(self.parsed_version) if feature.spellings else feature

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Refused:
            raise
        except Exception as error:
            kind = OutcomeUnknown if self.has_sent else Unreachable
            what = type(error).__name__
            raise kind(
                f"The gateway answers what the portal does not know ({what})."
            ) from error

    @abstractmethod
    def _version(self) -> str: ...

    def _label(self) -> str:
        return NAMES[self.vendor]

    def _lasting(self, feature: Feature, target: str) -> str:
        return target

    @abstractmethod
    def _started(self, feature: Feature, values: Mapping[str, str]) -> str: ...

    @abstractmethod
    def _ids(self, feature: Feature, within: Mapping[str, str]) -> list[str]: ...

    @abstractmethod
    def _read(self, feature: Feature, target: str) -> dict[str, str] | None: ...

    @abstractmethod
    def _write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, Any]
    ) -> str: ...

    @abstractmethod
    def _activate(self, feature: Feature) -> None: ...
