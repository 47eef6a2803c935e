"""Base of all drivers: error mapping and version-dependent property names."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, ClassVar

from controller.base.errors import Refused
from networks.gateways.drivers.contract import OutcomeUnknown, Rejected, TimedOut, Unreachable
from networks.gateways.engine.backups import BackupFile, settings_file
from networks.gateways.engine.features import ALL, Feature, positions
from networks.gateways.engine.features.versions import (
    NAMES,
    Version,
    caution,
    is_at_least,
    parsed,
)
from networks.gateways.engine.live import (
    MEASURED,
    PARTS,
    Asked,
    Live,
    Reader,
    in_columns,
    measured_rows,
)
from networks.gateways.engine.measurements import Measured

# What a rule is called that is not made yet.
NEW = "{new}"


class Driver(ABC):
    """Base class. Subclasses implement the underscore methods for their vendor.

    Unexpected exceptions of subclasses, caused by unknown answers, become
    ``OutcomeUnknown`` if a write was sent, otherwise ``Unreachable``.
    """

    vendor: ClassVar[str]
    # This vendor's parts of the live view, besides the measurements of every vendor.
    live_parts: ClassVar[Mapping[str, Live]] = {}
    live_lacks: ClassVar[frozenset[str]] = frozenset()
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

    def measure(self) -> list[Measured]:
        with self._guarded():
            return self._measure()

    def live(self, part: str, asked: Asked) -> list[dict[str, Any]]:
        """Return the rows of a part of the live view."""
        with self._guarded():
            if (reader := self.live_parts.get(part)) is not None:
                return in_columns(part, reader(self._reader(), asked))
            if part in MEASURED:
                return in_columns(part, measured_rows(part, self._measure()))
            raise Rejected(f"{NAMES[self.vendor]} does not tell its {PARTS[part].title}.")

    def read_list(self, path: str) -> list[dict[str, Any]]:
        """Return a list of the vendor's as it tells it."""
        with self._guarded():
            return list(self._reader()(path))

    @abstractmethod
    def _reader(self) -> Reader:
        """Return the reader of the vendor's live parts."""

    def check(self, feature: Feature, values: Mapping[str, str] | None = None) -> None:
        """Raise ``Rejected`` unless this version supports the feature and properties."""
        if reason := caution(self.vendor, self.version):
            raise Rejected(reason)
        given = values or {}
        # Where one was is put back if it can be; the desired position is requested.
        where = given.get(positions.NAME, "")
        names = [n for n in given if n != positions.NAME or positions.is_asked_for(where)]
        self._require(feature, names)

    def _require(self, feature: Feature, names: Iterable[str] = ()) -> None:
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
            if feature.since:
                self._require(feature)
            return self._ids(self._spelled(feature), within)

    def ordered(self, feature: Feature, target: str, within: Mapping[str, str]) -> list[str]:
        with self._guarded():
            return self._order(self._spelled(feature), target, within)

    def read(self, feature: Feature, target: str) -> dict[str, str] | None:
        with self._guarded():
            if feature.since:
                self._require(feature)
            found = self._read(self._spelled(feature), target)
            if found is None:
                return None
            if feature.spellings:
                found = feature.inward(found, self.parsed_version)
            if feature.is_ordered:
                found[positions.NAME] = positions.position_of(
                    self._known_order(feature, target), target
                )
            return found

    def write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, Any]
    ) -> str:
        self.has_sent = False
        self._orders.clear()
        with self._guarded():
            try:
                self.check(feature, values)
                return self._write_at(feature, operation, target, values)
            except (Unreachable, TimedOut) as error:
                # Nothing was done by this request; an earlier one of the same write was done.
                if self.has_sent:
                    raise OutcomeUnknown(str(error)) from error
                raise

    def _write_at(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, Any]
    ) -> str:
        sent = feature.outward(values, self.parsed_version)
        position = sent.pop(positions.NAME, "") if feature.is_ordered else ""
        spelled = self._spelled(feature)
        if position and not is_at_least(self.parsed_version, feature.moves_since):
            position = ""
        if position:
            # A position that names no rule is refused before anything is written.
            self._arranged(self._order(spelled, target, values), target or NEW, position)
        if position and operation == "create":
            return self._create_at(spelled, sent, position)
        if sent or operation != "update":
            target = self._write(spelled, operation, target, sent)
        if position:
            self._put(spelled, target, position)
        return target

    def activate(self, feature: Feature) -> None:
        with self._guarded():
            self._activate(feature)

    def back_up(self) -> BackupFile:
        with self._guarded():
            return self._back_up()

    def restore(self, backup: BackupFile) -> None:
        self.has_sent = False
        with self._guarded():
            try:
                self._restore(backup)
            except (Unreachable, TimedOut) as error:
                if self.has_sent:
                    raise OutcomeUnknown(str(error)) from error
                raise

    def _back_up(self) -> BackupFile:
        """Return the vendor's file; by default what the portal itself can read."""
        return settings_file(self._settings())

    def _restore(self, backup: BackupFile) -> None:
        raise Rejected(f"{NAMES[self.vendor]} takes no configuration back over its API.")

    def _settings(self) -> dict[str, Any]:
        """Read every object of every feature that this version has, without secrets."""
        found: dict[str, Any] = {}
        for feature in ALL:
            is_read = feature.vendor == self.vendor and not feature.action
            if not is_read or feature.lacking(self.parsed_version, ()):
                continue
            try:
                rows = {one: self.read(feature, one) for one in self.ids(feature, {})}
            except TimedOut:
                raise
            except Refused as error:
                # An account may not read everything, and an unread part is no empty one.
                found[feature.key] = f"not read: {error}"
                continue
            found[feature.key] = {
                name: {n: v for n, v in row.items() if n != positions.NAME}
                for name, row in rows.items()
                if row is not None
            }
        if found and all(isinstance(one, str) for one in found.values()):
            raise Unreachable(next(iter(found.values())).removeprefix("not read: "))
        return found

    def _put(self, feature: Feature, target: str, position: str) -> None:
        """Move a rule that was just written to a position, unless it is there already."""
        try:
            ids = self._order(feature, target, {})
            self._move(feature, target, ids, self._arranged(ids, target, position))
        except Rejected as error:
            if self.has_sent:
                raise OutcomeUnknown(f"It is written, and not moved: {error}") from error
            raise

    def _arranged(self, ids: list[str], target: str, position: str) -> list[str]:
        found = positions.arranged(ids, target, position)
        if found is None:
            raise Rejected(f"There is no rule at {position[:80]}: it may be gone.")
        return found

    def _create_at(self, feature: Feature, values: Mapping[str, Any], position: str) -> str:
        """Create a rule at a position, or move it there if the vendor's API takes none."""
        made = self._write(feature, "create", "", values)
        self._put(feature, made, position)
        return made

    @cached_property
    def _orders(self) -> dict[str, list[str]]:
        return {}

    def _known_order(self, feature: Feature, target: str) -> list[str]:
        """Return the order as it was read on this connection since its last write."""
        if target not in self._orders.get(feature.key, []):
            self._orders[feature.key] = self._order(feature, target, {})
        return self._orders[feature.key]

    def _order(self, feature: Feature, target: str, within: Mapping[str, str]) -> list[str]:
        """Return the ids of the rules among which this rule is ordered, in order.

        ``within`` are the values of a new rule.
        """
        return self._ids(feature, {})

    def _move(self, feature: Feature, target: str, old: list[str], new: list[str]) -> None:
        """Move a rule so that the order becomes ``new``; the rule may be missing in ``old``."""
        raise Rejected(f"{feature.key} is in no order that can be changed.")

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
    def _measure(self) -> list[Measured]: ...

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


def if_told(read: Callable[[], Any], *, otherwise: Any) -> Any:
    """Return the result of a read, or the default if the version or account lacks it."""
    try:
        return read() or otherwise
    except (Unreachable, Rejected):
        return otherwise
