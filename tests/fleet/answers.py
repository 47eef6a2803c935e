"""Published answers of vendors: what of a stand-in's answer its vendor would not give.

Each vendor's file describes answers in its own way: as fields, as names of fields, or in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.fleet.contract import Call, Contract, Field, holds

# Types by the first word of their description.
WORDS: Mapping[str, str] = {
    "string": "string", "text": "string", "integer": "integer", "boolean": "boolean",
    "object": "object", "array": "array", "the": "object",
}  # fmt: skip
NAMED = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list}
# Answers of OPNsense and OpenWrt with names that the vendor lists among others.
OPEN = {"uci.get", "rc.list", "session.login", "network.device.status"}


def answer_problems(call: Call, status: int, body: Any, version: str) -> list[str]:
    """Return what of a successful answer the vendor's description does not know."""
    told = call.told.get("answer")
    if told is None:
        return []
    found: list[str] = []
    if "status" in told and isinstance(told["status"], int) and status != told["status"]:
        found.append(f"status {status}, not {told['status']}")
    judge = JUDGES[call.contract.vendor]
    return [f"answer{one}" for one in (*found, *judge(call, told, body, version))]


def pfsense(call: Call, told: Any, body: Any, version: str) -> Iterator[str]:
    for one in typed(call.contract, told["data"], body.get("data"), version):
        # A field whose condition does not hold is told as null.
        if not one.endswith(": null"):
            yield one


def proxmox(call: Call, told: Any, body: Any, version: str) -> Iterator[str]:
    """Proxmox publishes some of what it tells; it may tell more."""
    for one in typed(call.contract, told["data"], body.get("data"), version):
        if not one.endswith(": unknown"):
            yield one


def omada(call: Call, told: Any, body: Any, version: str) -> Iterator[str]:
    if not isinstance(body.get("errorCode"), int):
        yield ".errorCode: no number"
    elif body["errorCode"]:
        # A refusal has no result, and the status of a success.
        return
    result = told.get("result")
    if result and not {"nested", "items"} & result.keys():
        yield from in_words(result, body.get("result"), ".result")
    elif result:
        yield from typed(call.contract, result, body.get("result"), version)
    elif "result" in body:
        yield ".result: unknown"


def unifi(call: Call, told: Any, body: Any, version: str) -> Iterator[str]:
    if "meta.rc" in told or "data[]" in told:
        if body.get("meta", {}).get("rc") not in {"ok", "error"}:
            yield ".meta.rc: neither ok nor error"
        if not isinstance(body.get("data"), list):
            yield ".data: no array"
        return
    shape = told.get("json")
    if isinstance(shape, dict):
        yield from typed(call.contract, in_version(call, shape), body, version)
    elif shape and call.id.endswith(".list") and not isinstance(body, list):
        yield ": no array"


def in_version(call: Call, shape: Field) -> Field:
    """Add what differs between versions: it is described with what is sent."""
    contract = call.contract
    maker = contract.by_id.get(f"{call.id.rpartition('.')[0]}.create")
    changes = call.told.get("body_changes") or (maker and maker.told.get("body_changes")) or {}
    found = contract.spec(shape)
    if "data" not in found.get("nested", {}):
        return {**found, "changes": changes}
    rows = contract.spec(found["nested"]["data"])
    items = {**contract.spec(rows["items"]), "changes": changes}
    return {**found, "nested": {**found["nested"], "data": {**rows, "items": items}}}


def mikrotik(call: Call, told: Any, body: Any, version: str) -> Iterator[str]:
    shape = str(told.get("json", ""))
    if shape == "[]":
        if body != []:
            yield ": not []"
        return
    is_list = shape.startswith("array")
    if shape and isinstance(body, list) is not is_list:
        yield f": no {shape}"
        return
    known = printed_names(call, version)
    for row in body if is_list else [body]:
        for name, value in row.items():
            if name not in known:
                yield f".{name}: unknown"
            if not isinstance(value, str):
                yield f".{name}: no text"


def printed_names(call: Call, version: str) -> set[str]:
    """Return what RouterOS prints of a menu: its arguments, and what is only told."""
    menu = call.id.rpartition(".")[0]
    calls = call.contract.by_id
    found = {".id", ".nextid", "comment", "dynamic", "invalid", "disabled"}
    found |= set(call.told.get("answer", {}).get("fields", []))
    for verb in ("list", "read", "create", "set", "update"):
        if one := calls.get(f"{menu}.{verb}"):
            found |= set(one.told.get("answer", {}).get("fields", []))
            found |= {
                n
                for n, field in call.contract.body(one.told, version).items()
                if holds(call.contract.spec(field), version)
            }
    return found


def opnsense(call: Call, told: Any, body: Any, version: str) -> Iterator[str]:
    if body == []:
        # PHP's empty object; the text of the description says when.
        return
    if "[]" in told:
        yield from in_words(told, {"[]": body, "": body}, "")
        return
    for name, shape in told.items():
        if str(shape).startswith("fields of add"):
            yield from model(call, name, body.get(name), version)
        elif name == "rows" and "flat" in str(shape):
            yield from flat(body.get("rows"))
        elif str(shape) != "any":
            yield from in_words({name: shape}, body, "")
    known = {name.removesuffix("[]") for name in told}
    if "any" not in told.values() and not known >= set(body):
        yield f".{min(set(body) - known)}: unknown"


def flat(rows: Any) -> Iterator[str]:
    for row in rows or []:
        if "uuid" not in row:
            yield ".rows[].uuid: missing"
        for name, value in row.items():
            if isinstance(value, dict | list):
                yield f".rows[].{name}: not flat"


def model(call: Call, wrapper: str, row: Any, version: str) -> Iterator[str]:
    """A whole object: each field of the model in this version, and no other."""
    maker = call.contract.by_id.get(re.sub(r"\.get(?=\w*$)", ".add", call.id))
    if maker is None or not isinstance(row, dict):
        yield f".{wrapper}: no object"
        return
    body = call.contract.body(maker.told, version)[wrapper]
    yield from options(call.contract, body, row, version, f".{wrapper}")


def options(
    contract: Contract, body: Field, row: Mapping[str, Any], version: str, at: str
) -> Iterator[str]:
    fields = contract.names(body, version)
    # An alias that is not there is told with the names of all others.
    if set(row) == {"content"}:
        return
    yield from (f"{at}.{name}: unknown" for name in row.keys() - fields.keys())
    yield from (f"{at}.{name}: missing" for name in fields.keys() - row.keys())
    for name, field in fields.items():
        value = row.get(name)
        if "nested" in field and isinstance(value, dict):
            yield from options(contract, field, value, version, f"{at}.{name}")
        elif "options" in str(field.get("read_as", "")):
            if not is_choice(value):
                yield f"{at}.{name}: no options"
        elif name in row and not isinstance(value, str | dict):
            yield f"{at}.{name}: no text"


def is_choice(value: Any) -> bool:
    if value == []:
        return True
    return isinstance(value, dict) and all(
        isinstance(one, dict) and one.get("selected") in {0, 1} for one in value.values()
    )


def openwrt(call: Call, told: Any, body: Any, version: str) -> Iterator[str]:
    code, *data = body.get("result") or [None]
    if code != 0:
        return
    (body,) = data or [{}]
    yield from in_words({n: one for n, one in told.items() if n[0] != "<"}, body, "")
    if call.id not in OPEN:
        known = {name.removesuffix("[]") for name in told}
        yield from (f".{name}: unknown" for name in body.keys() - known)


def in_words(shapes: Mapping[str, Any], body: Any, at: str) -> Iterator[str]:
    """What is there has the type that its description begins with."""
    if not isinstance(body, dict):
        yield f"{at}: no object"
        return
    for name, shape in shapes.items():
        value = body.get(name.removesuffix("[]"))
        if value is None:
            continue
        if isinstance(shape, dict):
            for one in value if name.endswith("[]") else [value]:
                yield from in_words(shape, one, f"{at}.{name}")
        elif problem := in_word(name, str(shape), value):
            yield f"{at}.{name}: {problem}"


def in_word(name: str, shape: str, value: Any) -> str:
    kind = WORDS.get(re.split("[, ]", shape)[0], "")
    kind = "array" if name.endswith("[]") else kind
    if kind:
        return "" if isinstance(value, NAMED[kind]) else f"no {kind}"
    is_one_of = re.fullmatch(r"\w+(\|\w+)*", shape) and str(value) not in shape.split("|")
    return f"{value!r} is none of {shape}" if is_one_of else ""


def typed(contract: Contract, shape: Field, body: Any, version: str) -> Iterator[str]:
    if body is None and str(contract.spec(shape).get("type")) == "null":
        return
    yield from contract.wrong(shape, body, version, "")


JUDGES: Mapping[str, Callable[[Call, Any, Any, str], Iterator[str]]] = {
    "mikrotik": mikrotik, "omada": omada, "openwrt": openwrt, "opnsense": opnsense,
    "pfsense": pfsense, "proxmox": proxmox, "unifi": unifi,
}  # fmt: skip
