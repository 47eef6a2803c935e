"""The OpenAPI document contains every operation of OpenWISP Controller 1.3.2.

``contract.json`` is derived from OpenWISP's documentation and serializers: method and path
of each operation, its query parameters, and the names of its fields. Where the
documentation is wrong (downloads and e-mails are no rows), it has the actual answer.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.dialects.openapi import views as serving
from tests.document import parameters_of

CONTRACT: dict[str, dict[str, str]] = json.loads(
    (Path(__file__).parent / "contract.json").read_text()
)


def anonymous(path: str) -> str:
    """Return the path without parameter names and trailing slash."""
    return re.sub(r"{[^}]*}", "{}", path).rstrip("/")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return serving.document()


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, Any]:
    """Return the operations by method and path."""
    return {
        f"{method.upper()} {anonymous(path)}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def fields(
    schema: Any, document: dict[str, Any], prefix: str = "", within: tuple[str, ...] = ()
) -> Iterator[str]:
    """Yield the dotted names of an object's fields, or of a list's items.

    A schema within itself, as of nested lists, is not followed.
    """
    if (name := schema.get("$ref", "").rpartition("/")[2]) and name not in within:
        named = document["components"]["schemas"][name]
        yield from fields(named, document, prefix, (*within, name))
    for part in ("allOf", "oneOf", "anyOf"):
        for one in schema.get(part, ()):
            yield from fields(one, document, prefix, within)
    if "items" in schema:
        yield from fields(schema["items"], document, prefix, within)
    properties = schema.get("properties", {})
    if {"next", "results"} <= properties.keys():
        yield from fields(properties["results"], document, prefix, within)
    for name, inner in properties.items():
        yield f"{prefix}{name}"
        yield from fields(inner, document, f"{prefix}{name}.", within)


def fields_of(body: Any, document: dict[str, Any]) -> set[str]:
    names = {
        name
        for content in body.get("content", {}).values()
        for name in fields(content.get("schema", {}), document)
    }
    # A GeoJSON feature has the row's fields in its properties.
    return names | {re.sub(r"(^|\.)properties\.", r"\1", name) for name in names}


@pytest.mark.parametrize("operation", CONTRACT)
def test_an_operation_is_documented_with_all_its_parameters_and_fields(
    operation: str, operations: dict[str, Any], document: dict[str, Any]
) -> None:
    method, _, path = operation.partition(" ")
    found = operations.get(f"{method} {anonymous(path)}")
    assert found is not None, "no such operation"
    wanted = {kind: set(names.split()) for kind, names in CONTRACT[operation].items()}
    query = {one["name"] for one in parameters_of(found) if one["in"] == "query"}
    answers = {
        name
        for status, answer in found["responses"].items()
        if status.startswith("2")
        for name in fields_of(answer, document)
    }
    assert wanted.get("query", set()) <= query
    # The contract's requests name fields that are only read, too; here those are in answers.
    sent = fields_of(found.get("requestBody", {}), document)
    assert wanted.get("request", set()) <= sent | answers
    assert wanted.get("response", set()) <= answers
