"""Published APIs of vendors (``tests/contract/vendors``), to check requests.

Stand-ins validate each request: which call it is in their version, and which parts of its
body the call does not accept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "contract" / "vendors"
# Vendors that encode numbers and flags as text.
TEXTY = {"opnsense", "mikrotik", "openwrt", "proxmox"}
KINDS: Mapping[str, Any] = {
    "string": str, "integer": int, "boolean": bool, "number": (int, float), "object": dict,
    "double": (int, float), "array": list,
}  # fmt: skip
FLAGS = {"0", "1", "true", "false", "yes", "no", "on", "off"}
Field = dict[str, Any]


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:4]))


def holds(what: Mapping[str, Any], version: str) -> bool:
    """Return whether a call or field exists in a version."""
    now, span = numbers(version), str(what.get("versions") or "")
    if found := re.fullmatch(r">=([\d.]+)", span):
        return now >= numbers(found[1])
    if found := re.fullmatch(r"([\d.]+)\.\.([\d.]+)", span):
        return numbers(found[1]) <= now <= numbers(found[2])
    since = str(what.get("since", ""))
    if since[:1].isdigit() and now < numbers(since):
        return False
    return not ("until" in what and now > numbers(str(what["until"])))


@dataclass(frozen=True)
class Call:
    """One call as documented by the vendor."""

    contract: Contract
    told: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.told["id"])

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        text = re.escape(self.told["path"])
        text = re.sub(r"/\\\{[^}]*\?\\\}", "(?:/[^/]*)?", text)
        return re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", text).rstrip("/") + "/?")

    def problems(
        self, body: Any, version: str, query: Mapping[str, str] | None = None
    ) -> list[str]:
        """Return what the call does not accept of a body and query in this version."""
        found = self.contract.body(self.told, version)
        root = found.get("(root)")
        one = root or {"type": "object", "nested": found, "exact": True}
        control = self.told.get("control") or {}
        if isinstance(body, dict):
            body = {name: value for name, value in body.items() if name not in control}
        bad = list(self.contract.wrong(one, body, version, ""))
        asked = self.told.get("query") or {}
        for name, value in (query or {}).items():
            known = {**asked, **(found if self.told["method"] == "DELETE" else {})}
            if name not in known:
                bad.append(f"?{name}: unknown")
            elif self.contract.vendor == "proxmox":
                bad += self.contract.wrong(known[name], value, version, f"?{name}")
        return bad


class Contract:
    def __init__(self, vendor: str) -> None:
        self.vendor = vendor
        self.doc = json.loads((FOLDER / f"{vendor}.json").read_text())
        self.types = self.doc.get("types", {})
        self.calls = [Call(self, told) for told in self.doc["calls"]]
        self.by_id = {one.id: one for one in self.calls}

    def all(self, method: str, path: str, version: str) -> Iterator[Call]:
        # Paths that are written out come before those with places in them.
        for one in sorted(self.calls, key=lambda one: str(one.told["path"]).count("{")):
            verbs = {one.told["method"], *one.told.get("methods_also", [])}
            if method in verbs and one.pattern.fullmatch(path) and holds(one.told, version):
                yield one

    def find(self, method: str, path: str, version: str) -> Call | None:
        return next(self.all(method, path, version), None)

    def body(self, told: Mapping[str, Any], version: str) -> dict[str, Field]:
        """Return the fields of a call's body; for an update none is required."""
        body = told.get("body") or {}
        found: dict[str, Field] = {}
        if (other := self.by_id.get(told.get("body_ref", ""))) is not None:
            found = {
                n: optional(self.spec(f)) for n, f in self.body(other.told, version).items()
            }
        changes = told.get("body_changes") or {}
        if "ref" in body or ("type" in body and ("nested" in body or "variants" in body)):
            return {"(root)": {**self.spec(body), "changes": changes}}
        # What a section has besides, by its protocol or type.
        for by_kind in ("by_proto", "by_type"):
            for fields in (told.get(by_kind) or {}).values():
                found |= {n: optional(self.spec(f)) for n, f in fields.items()}
        wrapper = told.get("wrapper")
        for name, one in body.items():
            inner = name == wrapper or "nested" in one
            found[name] = {**self.spec(one), "changes": changes} if inner else one
            change = changes.get(name, {})
            found[name] = {
                **found[name],
                **{k: v for k, v in change.items() if k in {"since", "until"}},
            }
        return found

    def spec(self, field: Field) -> Field:
        """Return a field with its references resolved."""
        while "ref" in field:
            field = {
                **self.types[field["ref"]],
                **{k: v for k, v in field.items() if k != "ref"},
            }
        return field

    def names(self, field: Field, version: str) -> dict[str, Field]:
        """Return the fields of an object in a version."""
        inner = changed(dict(field.get("nested") or {}), field.get("changes") or {}, version)
        return {n: self.spec(one) for n, one in inner.items() if holds(self.spec(one), version)}

    def wrong(self, field: Field, value: Any, version: str, at: str) -> Iterator[str]:
        one = self.spec(field)
        if value is None:
            if not (one.get("null") or one.get("nullable") or "null" in str(one.get("type"))):
                yield f"{at}: null"
        elif "one_of" in one:
            if all(list(self.wrong(each, value, version, at)) for each in one["one_of"]):
                yield f"{at}: fits none"
        elif one.get("type") == "object" or "nested" in one or "variants" in one:
            yield from self._object(one, value, version, at)
        elif one.get("type") == "array" and isinstance(value, list | str):
            yield from self._array(one, value, version, at)
        else:
            yield from self._single(one, value, at)

    def _object(self, one: Field, value: Any, version: str, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{at}: no object"
            return
        names = self._fields(one, value, version)
        if names is None:
            yield f"{at}.{one['discriminator']}: no such variant"
        elif names or one.get("exact"):
            for name, given in value.items():
                field = names.get(name) or names.get(re.sub(r"\d+$", "[n]", name))
                if field is None or not holds(self.spec(field), version):
                    yield f"{at}.{name}: unknown"
                else:
                    yield from self.wrong(field, given, version, f"{at}.{name}".lstrip("."))
            for name, field in names.items():
                spec = self.spec(field)
                if name not in value and is_needed(spec) and holds(spec, version):
                    yield f"{at}.{name}: missing"

    def _fields(
        self, one: Field, value: Mapping[str, Any], version: str
    ) -> dict[str, Field] | None:
        """Return the fields of this object's value; None if its type is unknown."""
        names: dict[str, Field] = dict(one.get("nested") or {})
        if "variants" in one:
            told = value.get(one["discriminator"])
            if told not in one["variants"]:
                return None
            names |= self.spec(one["variants"][told]).get("nested") or {}
        return changed(names, one.get("changes") or {}, version)

    def _array(self, one: Field, value: Any, version: str, at: str) -> Iterator[str]:
        if not isinstance(value, list):
            if self.vendor not in TEXTY:
                yield f"{at}: no array"
            return
        if len(value) < one.get("min_items", 0):
            yield f"{at}: fewer than {one['min_items']}"
        items = one.get("items") or {}
        items = {"type": items} if isinstance(items, str) else items
        inner = {**items, **({"enum": one["enum"]} if "enum" in one else {})}
        for each in value:
            yield from self.wrong(inner, each, version, f"{at}[]")

    def _single(self, one: Field, value: Any, at: str) -> Iterator[str]:
        kinds = [k for k in str(one.get("type") or "any").split("|") if k != "null"]
        if self.vendor in TEXTY and not isinstance(value, dict | list):
            texts = split(one, str(value))
            if kinds == ["integer"] and not all(re.fullmatch(r"-?\d+", t) for t in texts):
                yield f"{at}: no number"
            if kinds == ["boolean"] and not all(t.lower() in FLAGS for t in texts):
                yield f"{at}: no flag"
            parts: list[Any] = texts
        else:
            if "any" not in kinds and not any(is_of(kind, value) for kind in kinds):
                yield f"{at}: {type(value).__name__}, not {one.get('type')}"
                return
            parts = [value]
        for part in parts:
            yield from self._bounded(one, part, at)

    def _bounded(self, one: Field, part: Any, at: str) -> Iterator[str]:
        if "enum" in one and part != "" and not among(one, part):
            yield f"{at}: {part!r} is none of {one['enum'][:8]}"
        if one.get("type") != "string" and not is_within(one, part):
            yield f"{at}: {part} is out of bounds"
        if isinstance(part, str) and len(part) > one.get("max_length", len(part)):
            yield f"{at}: too long"
        if (
            isinstance(part, str)
            and part
            and not matches(self.vendor, one.get("pattern", ""), part)
        ):
            yield f"{at}: does not match {one['pattern'][:60]}"


def split(one: Field, text: str) -> list[str]:
    if not text:
        return []
    is_many = one.get("many") or one.get("list") or str(one.get("format", "")).endswith("-list")
    return [part for part in re.split(r"[,\s;]+", text) if part] if is_many else [text]


def optional(one: Field) -> Field:
    found = {name: value for name, value in one.items() if name != "required"}
    if "nested" in found:
        found["nested"] = {n: optional(field) for n, field in found["nested"].items()}
    return found


def is_needed(one: Field) -> bool:
    waived = {"default", "conditional", "only_if", "auto", "required_inferred", "read_only"}
    return bool(one.get("required")) and not waived & one.keys()


def is_of(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, KINDS.get(kind, object))


def among(one: Field, part: Any) -> bool:
    known = [str(each) for each in one["enum"]]
    given = str(part).lstrip("!") if one.get("negate") else str(part)
    return given in known or bool(one.get("case") and given.lower() in map(str.lower, known))


def is_within(one: Field, part: Any) -> bool:
    if isinstance(part, bool) or not re.fullmatch(r"-?\d+(\.\d+)?", str(part)):
        return True
    return float(one.get("min", part)) <= float(part) <= float(one.get("max", part))


def matches(vendor: str, pattern: str, text: str) -> bool:
    if not pattern or pattern.startswith("/") or "generated" in pattern:
        return True
    whole = f"^(?:{pattern})$" if vendor in {"unifi", "proxmox"} else pattern
    try:
        return bool(re.search(whole, text))
    except re.error:
        return True


def changed(
    names: dict[str, Field], changes: Mapping[str, Any], version: str
) -> dict[str, Field]:
    """Return the fields of a version; ``changes`` may refer to nested fields."""
    found = dict(names)
    for path, change in changes.items():
        name, _, rest = path.partition(".")
        if rest:
            if name in found:
                inner = {**found[name].get("changes", {}), rest: change}
                found[name] = {**found[name], "changes": inner}
        elif not holds(change, version):
            found.pop(name, None)
        elif "until" in change and name not in found:
            found[name] = {"type": "any"}
        if "required_in" in change and name in found:
            is_so = holds({"versions": change["required_in"]}, version)
            found[name] = {**found[name], "required": is_so}
    return found


@lru_cache
def contract_of(vendor: str) -> Contract:
    return Contract(vendor)
