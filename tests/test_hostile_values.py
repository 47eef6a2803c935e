"""No date, count, size, text or list of ids is a crash on any route, and none is half taken.

HOSTILE=all pytest tests/test_hostile_values.py     every value in every field, for an hour
"""

import logging
import os
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any
from zlib import crc32

import pytest
from rest_framework.test import APIClient

from controller.dialects.openapi.views import document
from tests.demo_world import World, build
from tests.document import parameters_of
from tests.hostile import addresses, bodies, queries, written
from tests.rollback import rolled_back
from tests.test_access import operations

pytestmark = [pytest.mark.django_db, pytest.mark.long]
SHARES = 2
# Of each kind of request, how many an operation gets; which ones follows from its name.
WIDE = int(os.environ.get("HOSTILE", "0"))
BODIES, QUERIES, ADDRESSES = (WIDE,) * 3 if WIDE else (12, 5, 2)
# What a route may answer when its device, or a service that is switched off, is asked.
UPSTREAM = {501, 502, 503, 504}
# Addresses that another machine answers; calls of devices are tables with tests of their own.
ELSEWHERE = re.compile(
    r"/supervisor/|/api/v1/controller/device/[^/]+/hassio/|/test/|/check/|/live/|/dry-run"
)
METHODS = {"get", "post", "put", "patch", "delete"}
# What a refused request leaves: its record, when its token was last used, and that a password was wrong.
# Preferences are made when they are first looked at.
RECORDS = {
    "accounts_auditentry", "accounts_apitoken", "accounts_lockout", "notifications_preference",
}  # fmt: skip
# Fields of requests that the document does not tell of: those of agents, clients and forms.
OTHER_NAMES = [
    "name", "mac_address", "secret", "key", "backend", "hardware_id", "management_ip", "status",
    "error_reason", "model", "os", "system", "tags", "consistent_key", "id", "code", "public_key",
    "payload", "protected", "signature", "uuid", "username", "password", "email", "token",
]  # fmt: skip
# One shared client: each new one initializes the middleware again.
CLIENT = APIClient(raise_request_exception=False, HTTP_ACCEPT="application/json")


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for part in ("allOf", "oneOf", "anyOf"):
        if part in schema:
            return resolved(schema[part][0])
    return schema


def told() -> dict[tuple[str, str], dict[str, Any]]:
    """Return all operations: those of the document, and those that it does not tell of."""
    found = {
        (method.upper(), path): operation
        for path, item in document()["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }
    known = {(method, re.sub(r"{\w+}", "{}", path)) for method, path in found}
    for method, path in operations():
        if (method, re.sub(r"{\w+}", "{}", path)) not in known:
            found[method, path] = {}
    return {key: found[key] for key in sorted(found) if not ELSEWHERE.search(key[1])}


def base_of(world: World, operation: dict[str, Any], method: str, address: str) -> Any:
    """Return a body that is as valid as can be known: what is read there, or the example."""
    if method == "PUT":
        answer = CLIENT.get(address, **world.headers["super"])
        read = (
            answer.json()
            if answer.get("Content-Type", "").startswith("application/json")
            else None
        )
        if isinstance(read, dict):
            return read
    content = operation.get("requestBody", {}).get("content", {})
    example = next((one.get("example") for one in content.values()), {})
    known = {name: str(pk) for name, pk in world.rows.items()} | {
        "organization": str(world.organization.pk), "organization_id": str(world.organization.pk),
    }  # fmt: skip
    if not isinstance(example, dict):
        return {}
    return example | {name: known[name] for name in example if name in known}


def requests(
    world: World, method: str, path: str, operation: dict[str, Any]
) -> Iterator[tuple[str, bytes, str]]:
    """Yield the address, body and type of each request."""
    address = world.path(path)
    start = crc32(f"{method} {path}".encode())
    names = [one["name"] for one in parameters_of(operation) if one["in"] == "query"]
    for query in some(queries(names), QUERIES, start):
        yield f"{address}?{query}", b"", ""
    others = list(addresses(path, address))
    for other in (*others[:1], *some(iter(others[1:]), ADDRESSES, start)):
        yield other, b"{}" if method != "GET" else b"", "application/json"
    if method in {"POST", "PUT", "PATCH"}:
        content = operation.get("requestBody", {}).get("content", {})
        schema = resolved(next((one.get("schema", {}) for one in content.values()), {}))
        fields = list(schema.get("properties", {})) or OTHER_NAMES
        base = base_of(world, operation, method, address) if method != "PATCH" else {}
        for body, kind in some(bodies(fields, base), BODIES, start):
            yield address, body, kind


def some(values: Iterator[Any], count: int, start: int) -> Iterator[Any]:
    """Yield as many of the values, spread over all of them."""
    found = list(values)
    if len(found) <= count:
        return iter(found)
    step = len(found) / count
    return (found[(start + int(at * step)) % len(found)] for at in range(count))


def problem_of(world: World, method: str, address: str, body: bytes, kind: str) -> str:
    CLIENT.cookies.clear()
    with rolled_back(), written() as tables:
        answer: Any = CLIENT.generic(method, address, body, kind, **world.headers["super"])
        if answer.streaming:
            b"".join(answer.streaming_content)
    status = answer.status_code
    if status >= 500 and status not in UPSTREAM:
        return f"{status} {answer.exc_info[1]!r}"[:300] if answer.exc_info else str(status)
    if 400 <= status < 500 and (kept := set(tables) - RECORDS):
        return f"{status}, and {sorted(kept)} is written"
    return ""


def wrong(world: World, method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    for address, body, kind in requests(world, method, path, operation):
        if problem := problem_of(world, method, address, body, kind):
            yield f"{method} {path}: {problem}\n    {address[-200:]} {body[:200]!r}"


@pytest.fixture
def _unheard() -> Iterator[None]:
    """Log nothing: the lines of so many refusals would fill the memory."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("_unheard")
@pytest.mark.parametrize("share", range(SHARES))
def test_no_value_is_a_crash_or_half_taken(share: int, settings: Any) -> None:
    for name in ("REQUESTS", "SIGN_INS", "TOKENS"):
        setattr(settings, f"MUSTER_{name}_PER_MINUTE", 0)
    world = build()
    problems = [
        problem
        for (method, path), operation in islice(told().items(), share, None, SHARES)
        for problem in islice(wrong(world, method, path, operation), 5)
    ]
    assert not problems, "\n".join(problems)
