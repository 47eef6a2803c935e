"""Values that no field expects, the bodies and queries that bring them, and what a request wrote."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from django.db import connection

NOBODY = "00000000-0000-0000-0000-000000000000"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
# The ends of calendars and of numbers, and texts that no column holds.
TEXTS = (
    "\x00", "٣", "a" * 10_000, "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+14:00",
    "0000-00-00", "24:00:00", NOBODY, NOBODY.replace("-", ""), "0" * 36, "1e999", "-1", "NaN",
    "99999999999999999999999999", "fe80::1%eth0", "http://[", "10.0.0.0/33", "../../x", "%", "[]",
)  # fmt: skip
DEEP: Any = 1
for _ in range(60):
    DEEP = [{"a": DEEP}]
VALUES: tuple[Any, ...] = (
    *TEXTS, "\ud800", "", None, True, -1, 0, 2**31, -(2**63) - 1, 10**30, 1e308, 1.5, [], {},
    [NOBODY, NOBODY], [10**30], [[]], [None], [{}], {"\x00": "\x00"}, {"id": NOBODY}, {"a": "\ud800"},
    DEEP,
)  # fmt: skip
WHOLE: tuple[Any, ...] = (
    [],
    "text",
    7,
    None,
    True,
    [{}],
    [[]],
    {"\x00": 1},
    {"a": 10**400},
    DEEP,
)
# What is no JSON, or JSON that no parser of Python writes.
RAW = (
    b"", b"{", b'{"name": "a", "name": "b", "name": null}', b"[" * 20_000, b'{"a":' * 5_000,
    b'{"name": NaN, "id": -Infinity}', b"\xff\xfe{}", b'{"name": "\\ud800\\u0000"}', b"\x00",
    b'{"name": 1e999999}', b"9" * 5_000,
)  # fmt: skip
# Stand in place of an id in an address.
IDS = (
    # What some patterns take for a UUID.
    "0" * 36, "0" * 32, "-1", "0", "9" * 40, "%00", "%ED%A0%80", "%C3%A9", "a" * 300, "null",
    "..%2f", NOBODY,
)  # fmt: skip

WRITE = re.compile(r'(INSERT (?:OR IGNORE )?INTO|UPDATE|DELETE FROM)\s+"?(\w+)', re.IGNORECASE)
SAVEPOINT = re.compile(r'(ROLLBACK TO )?SAVEPOINT "?(\w+)', re.IGNORECASE)


@contextmanager
def written() -> Iterator[list[str]]:
    """Yield the tables that the block writes; what it takes back itself is left out."""
    tables: list[str] = []
    marks: dict[str, int] = {}

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if found := SAVEPOINT.match(sql):
            if found[1]:
                del tables[marks[found[2]] :]
            else:
                marks[found[2]] = len(tables)
        elif (found := WRITE.match(sql)) and context["cursor"].rowcount != 0:
            tables.append(found[2])
        return result

    with connection.execute_wrapper(watch):
        yield tables


def bodies(names: list[str], base: dict[str, Any]) -> Iterator[tuple[bytes, str]]:
    """Yield bodies with their types: hostile as a whole, in all fields, and in one of a valid one."""
    for raw in RAW:
        yield raw, JSON
    for one in WHOLE:
        yield written_as_json(one), JSON
    for value in VALUES:
        yield written_as_json(dict.fromkeys(names, value)), JSON
    for text in TEXTS:
        yield urlencode(dict.fromkeys(names, text)).encode(), FORM
    for name in names:
        for value in VALUES:
            yield written_as_json(base | {name: value}), JSON


def written_as_json(value: Any) -> bytes:
    return json.dumps(value, default=str).encode()


def queries(names: list[str]) -> Iterator[str]:
    """Yield query strings with a hostile value in every parameter, and in one alone."""
    for text in (*TEXTS, ",".join([NOBODY] * 500), "\ufffd"):
        if names:
            yield urlencode(dict.fromkeys(names, text))
        for name in names:
            yield urlencode({name: text})
    for name in names:
        yield f"{name}=%ff%fe&{name}=&{name}[]=1&{name}={'9' * 400}"


def addresses(template: str, address: str) -> Iterator[str]:
    """Yield the address with a hostile id in place of each of its own."""
    pattern = re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(template))
    found = re.fullmatch(pattern, address)
    for one in IDS if found else ():
        for at in range(1, len(found.groups()) + 1):
            yield address[: found.start(at)] + one + address[found.end(at) :]
