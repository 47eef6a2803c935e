"""Feature: one kind of configuration object or action of a vendor's gateways."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from string import Formatter
from typing import Any

from jsonschema import Draft202012Validator

from networks.gateways.engine.features import positions
from networks.gateways.engine.features.titles import VERBS, feature_title
from networks.gateways.engine.features.values import meant
from networks.gateways.engine.features.versions import Spelling, Version, is_at_least

MASK = "***"
# Permission by prefix of the feature's key; the first match counts, for staging and applying.
PERMISSIONS: Sequence[tuple[tuple[str, ...], str]] = (
    (("system.", "monitoring."), "controller:write"),
    (("vpn.",), "vpn:write"),
    (("firewall.", "opnsense.", "pfsense.", "openwrt."), "firewall:write"),
    (("firmware.", "unifi.devices.upgrade"), "firmware:upgrade"),
    (("proxmox.",), "hypervisor:write"),
    (
        (
            "mikrotik.backup.", "mikrotik.security.", "mikrotik.system.reboot", "mikrotik.system.shutdown",
            "mikrotik.system.firmware.install", "mikrotik.system.backup_load",
            "mikrotik.system.export_config", "mikrotik.system.file_delete",
            "mikrotik.system.package.uninstall", "mikrotik.system.tool_fetch",
            "unifi.clients.forget", "unifi.devices.restart", "unifi.devices.disable",
        ),
        "controller:write",
    ),
    (("",), "network:write"),
)  # fmt: skip
# Minimum role for staging and applying catastrophic changes.
CATASTROPHIC_ROLE = "site_admin"


@dataclass(frozen=True)
class Feature:
    """How one kind of object is named, validated, read and written.

    ``path`` and ``noun`` locate the objects at the vendor, ``wrapper`` is the key under
    which the values are sent. ``action`` is a call that changes no values, such as a
    reboot; ``{name}`` in it stands for a property. The inverse of a change is derived from
    the previous values.
    """

    vendor: str
    key: str
    path: str = ""
    noun: str = ""
    wrapper: str = ""
    activation: str = ""
    action: str = ""
    operations: tuple[str, ...] = ("create", "update", "delete")
    properties: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    # Properties additionally required if a property has a value.
    required_if: Mapping[tuple[str, Any], tuple[str, ...]] = field(default_factory=dict)
    # Aliases of properties, and of the feature.
    names: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    # Properties that are immutable but not part of the id.
    given_once: tuple[str, ...] = ()
    # Our value for the vendor's null.
    empty_as: Mapping[str, str] = field(default_factory=dict)
    # The properties that form the id; immutable after creation.
    identity: tuple[str, ...] = ()
    # Why properties that other clients send are none of this feature.
    refused: Mapping[str, str] = field(default_factory=dict)
    # Values common to all objects of this kind, which distinguish them from others at the same
    # path.
    constants: Mapping[str, str] = field(default_factory=dict)
    # Values the vendor requires on creation, used unless given.
    defaults: Mapping[str, Any] = field(default_factory=dict)
    # Noun of the list call, if it differs from ``noun``.
    listed: str = ""
    # What goes with every update, changed or not; what is no property, and goes back as told.
    always: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    # How one is changed; where it is changed, if not below the list; where it is deleted, if that
    # is not where it is changed.
    changed_by: str = "PUT"
    changed_at: str = ""
    deleted_at: str = ""
    separator: str = ","
    truth: tuple[str, str] = ("0", "1")
    in_area: str = ""
    has_savepoint: bool = False
    # The first version that has none any more.
    savepoint_until: str = ""
    # Whether the order among others of its kind counts, so that it has a position.
    is_ordered: bool = False
    # The first version that puts one to a position.
    moves_since: str = ""
    # Where one is put that asks for no position.
    begins: str = "last"
    # The property, and its values, by which a rule ends the way of whatever it matches; and the
    # properties that must be equal for one rule to come before another at all.
    final: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    # Values that stand for everything, besides the usual ones.
    everything: Mapping[str, str] = field(default_factory=dict)
    # First version of the vendor's software with this feature.
    since: str = ""
    # Property names of later versions; the last matching entry counts.
    spellings: tuple[Spelling, ...] = ()
    catastrophic: bool = False
    # Whether it puts a stored backup back.
    restores: bool = False
    # Example payloads: one that creates an object (or runs the action), and one that changes
    # it.
    example: Mapping[str, Any] = field(default_factory=dict)
    change: Mapping[str, Any] = field(default_factory=dict)

    @property
    def area(self) -> str:
        return self.in_area or self.key.removeprefix(f"{self.vendor}.").split(".")[0]

    @property
    def title(self) -> str:
        """Return what people call it, in lower case as in a sentence: "firewall alias"."""
        return feature_title(self.vendor, self.key)[0]

    @property
    def sentence(self) -> str:
        return feature_title(self.vendor, self.key)[1]

    def phrase(self, operation: str) -> str:
        """Return an operation for people: "Add firewall alias", "Start a service"."""
        if self.action:
            return self.title[:1].upper() + self.title[1:]
        return f"{VERBS.get(operation, operation.capitalize())} {self.title}"

    @property
    def scope(self) -> tuple[str, ...]:
        """Return the properties in the path, such as node or VM id."""
        return tuple(name for _, name, _, _ in Formatter().parse(self.path) if name)

    def as_asked(
        self, operation: str, payload: Mapping[str, Any], target: str
    ) -> tuple[str, dict[str, Any], str]:
        """Return operation, payload and target of what was asked for by another name.

        Clients block a device by an update, destroy a VM by a delete of its id, and create a
        setting of an interface that is there.
        """
        given = dict(payload)
        if self.operations == ("update",) and operation == "create":
            return "update", given, target
        if operation == "update" and self.scope and target:
            # The id of a part of a device may be told in two.
            inner = [str(given.pop(name)) for name in self.identity if name in given]
            return operation, given, ":".join([target, *inner])
        if not self.action or operation == "create" or operation in self.operations:
            return operation, given, target
        shape = self.schema("create")
        only = list(shape["properties"]) if len(shape["properties"]) == 1 else []
        names = shape.get("required") or only
        lacking = [name for name in names if name not in given]
        if target and lacking:
            # The only one may have colons of its own, as a MAC address has.
            values = target.rsplit(":", len(lacking) - 1)
            given |= {
                name: [text] if self.is_list(name) else number_or_text(text)
                for name, text in zip(lacking, values, strict=False)
            }
        return "create", given, ""

    def located(self, target: str) -> tuple[dict[str, str], str]:
        """Split an id into the scope's values and the name within the scope."""
        *places, name = target.split(":", len(self.scope))
        if len(places) < len(self.scope):
            places, name = [*places, name], ""
        return dict(zip(self.scope, places, strict=True)), name

    @property
    def permission(self) -> str:
        return permission_of(self.key)

    @property
    def secret(self) -> frozenset[str]:
        return frozenset(n for n, one in self.properties.items() if one.get("writeOnly"))

    def schema(self, operation: str) -> dict[str, Any]:
        """Return the JSON Schema of a payload."""
        known = dict(self.properties) if operation != "delete" else {}
        if operation != "delete":
            known |= {name: self.properties[real] for name, real in self.names.items()}
        if self.is_ordered and operation != "delete":
            known[positions.NAME] = positions.SCHEMA
        if operation == "update":
            given_once = {*self.identity, *self.scope, *self.given_once}
            known = {n: one for n, one in known.items() if self._real(n) not in given_once}
        found: dict[str, Any] = {
            "type": "object",
            "properties": known,
            "additionalProperties": False,
        }
        if operation == "update" and known:
            found["minProperties"] = 1
        if shown := self.change if operation == "update" else self.example:
            found["examples"] = [shown] if operation != "delete" else []
        return found

    def problems(self, operation: str, payload: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return validation errors of a payload by field path."""
        found: dict[str, list[str]] = {}
        schema = self.schema(operation)
        for error in Draft202012Validator(schema).iter_errors(payload):
            at = ["payload", *map(str, error.absolute_path)]
            if error.validator == "additionalProperties":
                for name in sorted(set(payload) - set(schema["properties"])):
                    why = self.refused.get(name, f"{self.key} has no such property.")
                    found[".".join([*at, name])] = [why]
            else:
                secret = bool(error.absolute_path) and self.is_secret(at[1])
                text = "This value does not fit." if secret else error.message[:300]
                found.setdefault(".".join(at), []).append(text)
        if operation == "create":
            found |= self._missing(self.renamed(payload))
        return found

    def _missing(self, given: Mapping[str, Any]) -> dict[str, list[str]]:
        found = {
            f"payload.{name}": ["This property is required."]
            for name in self.required
            if name not in given
        }
        for (name, value), names in self.required_if.items():
            if given.get(name) == value:
                text = f"This property is required where {name} is {value}."
                found |= {f"payload.{one}": [text] for one in names if one not in given}
        return found

    def is_secret(self, name: str) -> bool:
        return self._real(name) in self.secret

    def renamed(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the payload with the vendor's property names."""
        return {self._real(name): value for name, value in payload.items()}

    def values(self, payload: Mapping[str, Any]) -> dict[str, str]:
        """Return the payload with the vendor's property names and values as text."""
        return {name: self.text(value) for name, value in self.renamed(payload).items()}

    def text(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return self.truth[value]
        if isinstance(value, list):
            return self.separator.join(map(str, value))
        return str(value)

    def flat(self, row: Mapping[str, Any]) -> dict[str, str]:
        """Return the feature's properties in a vendor's JSON as text, without secrets.

        A dotted name refers to a nested property.
        """
        return {
            name: self.text(value)
            for name in self.properties
            if name not in self.secret and (value := inside(row, name)) is not None
        }

    def typed(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Convert texts back to the types and nesting of the vendor's JSON."""
        found: dict[str, Any] = {}
        for name, text in values.items():
            *outer, last = name.split(".")
            place = found
            for one in outer:
                place = place.setdefault(one, {})
            place[last] = self._typed(name, text)
        return found

    def _typed(self, name: str, text: str) -> Any:
        schema = self.properties.get(name, {})
        kind = schema.get("type", "string")
        if kind == "boolean":
            return text == self.truth[1]
        if kind == "integer":
            return int(text) if text else None
        if kind == "array":
            parts = [part for part in text.split(self.separator) if part]
            return list(map(int, parts)) if schema["items"].get("type") == "integer" else parts
        return text

    def is_list(self, name: str) -> bool:
        return self.properties.get(name, {}).get("type") == "array"

    def fits(self, row: Mapping[str, Any]) -> bool:
        """Return whether an object at the same path is of this kind."""
        return all(self.text(inside(row, n)) == value for n, value in self.constants.items())

    def lacking(self, version: Version, names: Iterable[str]) -> tuple[str, str] | None:
        """Return what this version lacks, and the version that introduced it, or None."""
        needed = {self.key: self.since}
        needed |= {
            f"{self.key}: {name}": str(self.properties.get(name, {}).get("since", ""))
            for name in names
        }
        if positions.NAME in names:
            needed[f"{self.key}: {positions.NAME}"] = self.moves_since
        lacks = [(n, since) for n, since in needed.items() if not is_at_least(version, since)]
        return lacks[0] if lacks else None

    def goes_back(self, version: Version) -> bool:
        """Return whether a gateway takes a change back by itself if it is not confirmed."""
        is_over = self.savepoint_until and is_at_least(version, self.savepoint_until)
        return self.has_savepoint and not is_over

    def spelling(self, version: Version) -> Spelling | None:
        """Return the property names of this version, or None if they are the default ones."""
        fitting = [one for one in self.spellings if is_at_least(version, one.since)]
        return fitting[-1] if fitting else None

    def outward(self, values: Mapping[str, str], version: Version) -> dict[str, str]:
        """Return the values with the property names of this version."""
        how = self.spelling(version)
        if how is None:
            return dict(values)
        return {
            how.names.get(name, name): self._turned(text) if name in how.turned else text
            for name, text in values.items()
        }

    def inward(self, row: Mapping[str, str], version: Version) -> dict[str, str]:
        """Return a version's values with our property names."""
        how = self.spelling(version)
        if how is None:
            return dict(row)
        ours = {theirs: name for name, theirs in how.names.items()}
        found = {ours.get(name, name): text for name, text in row.items()}
        return {n: self._turned(text) if n in how.turned else text for n, text in found.items()}

    def at(self, version: Version) -> "Feature":
        """Return the feature with the property names of this version."""
        how = self.spelling(version)
        if how is None:
            return self
        known = {how.names.get(name, name): one for name, one in self.properties.items()}
        return replace(self, properties=known)

    def _turned(self, text: str) -> str:
        return {self.truth[0]: self.truth[1], self.truth[1]: self.truth[0]}.get(text, text)

    def means(self, name: str, text: str) -> Hashable:
        """Return a canonical value: equal for different spellings of the same value."""
        return meant(self.properties.get(name, {}), text, self.separator)

    def differs(self, wanted: Mapping[str, str], held: Mapping[str, str]) -> list[str]:
        """Return the names of wanted properties with another value."""
        return sorted(
            name
            for name, text in wanted.items()
            if self._is_other(name, text, held.get(name, ""))
        )

    def _is_other(self, name: str, wanted: str, held: str) -> bool:
        if name == positions.NAME and self.is_ordered:
            return not positions.is_at(wanted, held)
        return self.means(name, wanted) != self.means(name, held)

    def _real(self, name: str) -> str:
        return self.names.get(name, name)

    def known_as(self) -> Iterator[str]:
        yield self.key
        yield from self.aliases


def inside(row: Mapping[str, Any], name: str) -> Any:
    if name in row:
        return row[name]
    found: Any = row
    for one in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(one)
    return found


def permission_of(key: str) -> str:
    return next(found for prefixes, found in PERMISSIONS if key.startswith(prefixes))


def number_or_text(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text
