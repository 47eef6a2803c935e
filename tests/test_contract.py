"""Generated requests: no crash, and no answer missing in the OpenAPI document."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as bounds
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.specs.openapi.checks import (
    response_schema_conformance,
    status_code_conformance,
)

from supervisor_proxy.engine import balena, hassio
from tests.demo_world import World, build
from tests.document import status_in
from tests.rollback import rolled_back

pytestmark = pytest.mark.django_db
SHARES, EXAMPLES = 4, 2
BOUNDS = bounds(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
METHODS = ("get", "post", "put", "patch", "delete")
OF_DEVICES = re.compile(r"/supervisor/|/api/v1/controller/device/[^/]+/hassio/")
LARGEST = 1_300_000


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    answer: dict[str, Any] = Client().get("/api/v1/openapi.json").json()
    return answer


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


@pytest.fixture
def _one_connection() -> Iterator[None]:
    """Keep the test's database connection and transaction open across requests."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.long
@pytest.mark.usefixtures("_one_connection")
@pytest.mark.parametrize("share", range(SHARES))
def test_no_made_up_request_gets_a_crash_or_an_untold_answer(
    share: int, document: dict[str, Any], settings: Any
) -> None:
    for name in ("REQUESTS", "SIGN_INS", "TOKENS"):
        setattr(settings, f"MUSTER_{name}_PER_MINUTE", 0)
    # It looks at the database when it is imported.
    from controller.asgi import django_application

    world = build()
    schema = schemathesis.openapi.from_dict(document)
    schema.app = django_application
    wrong = []
    # Calls of devices are tables of their own, tested with stand-ins.
    found = [one.ok() for one in schema.get_all_operations()]
    found = [one for one in found if not OF_DEVICES.match(one.path)]
    for operation in found[share::SHARES]:
        try:
            exercise(operation, world)
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - all are told together
            wrong.append(f"{operation.method.upper()} {operation.path}: {error}"[:700])
    assert not wrong, "\n\n".join(wrong)


def exercise(operation: Any, world: World) -> None:
    @seed(1)
    @BOUNDS
    @given(case=operation.as_strategy())
    def tried(case: Any) -> None:
        case.path_parameters = (
            {"rest": "doors"}
            if "{rest}" in case.operation.path
            else world.values(case.operation.path)
        )
        case.headers = {
            "Authorization": world.headers["super"]["HTTP_AUTHORIZATION"],
            "Accept": "application/json",
        }
        case.cookies = {}
        with rolled_back():
            response = case.call()
        # 501, 502 and 504 are documented answers.
        assert response.status_code != 500, response.text
        case.validate_response(
            response, checks=[status_code_conformance, response_schema_conformance]
        )

    tried()


def test_every_operation_is_told_of_in_full(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        name = f"{method.upper()} {path}"
        assert operation.get("summary"), f"{name} has no summary: write a docstring"
        assert operation.get("x-permission"), f"{name} tells no permission"
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for body in bodies:
            for kind, content in body.get("content", {}).items():
                told = "example" in content or "examples" in content
                assert told or "json" not in kind, f"{name} has no example"


# Anything that clients store, that a device answers, or that a gateway is sent.
UNTYPED = {
    "FieldChange.before", "FieldChange.after", "Geometry.coordinates", "CallShape.body",
}  # fmt: skip


def test_each_field_has_a_type(document: dict[str, Any]) -> None:
    parts = [(name, schema) for name, schema in document["components"]["schemas"].items()]
    for path, method, operation in operations(document):
        if OF_DEVICES.match(path):
            continue
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values():
                parts.append((f"{method} {path} {status}", content["schema"]))
    found = {name for where, schema in parts for name in untyped(schema, where)}
    assert found <= UNTYPED, sorted(found - UNTYPED)


def untyped(schema: dict[str, Any], where: str) -> Iterator[str]:
    """Yield the names of the fields that may be anything."""
    for name, inner in schema.get("properties", {}).items():
        if not inner.keys() & {"type", "$ref", "allOf", "anyOf", "enum", "const"}:
            yield f"{where}.{name}"
        yield from untyped(inner, f"{where}.{name}")
    rows = [schema["items"]] if "items" in schema else []
    for inner in (*rows, *schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from untyped(inner, where)


def test_the_document_is_small_and_sorted_into_areas(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert len(json.dumps(document, separators=(",", ":"))) < LARGEST
    OpenAPIV31SpecValidator(document).validate()
    names = {one["name"] for one in document["tags"]}
    assert "api" not in names
    for path, method, operation in operations(document):
        assert set(operation["tags"]) <= names, f"{method} {path}"
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_each_call_of_a_supervisor_is_an_operation(document: dict[str, Any]) -> None:
    for route in (*hassio.TABLE, *hassio.STREAMS):
        path = f"/api/v1/controller/device/{{device_id}}/hassio{route.pattern}"
        assert route.method.lower() in document["paths"][path]
    for route in balena.TABLE:
        assert "post" in document["paths"][f"/supervisor{route.pattern}"]
    assert not [path for path in document["paths"] if path.endswith("{path}")]


@pytest.mark.long
def test_what_is_read_has_the_shape_that_is_told(
    document: dict[str, Any], settings: Any, client: Client
) -> None:
    for name in ("REQUESTS", "SIGN_INS", "TOKENS"):
        setattr(settings, f"MUSTER_{name}_PER_MINUTE", 0)
    world, wrong = build(), []
    for path, method, operation in operations(document):
        if method != "get" or OF_DEVICES.match(path):
            continue
        for actor in ("super", "viewer"):
            answer = client.get(
                world.path(path), HTTP_ACCEPT="application/json", **world.headers[actor]
            )
            problem = misfit(document, operation, answer)
            if problem and f"{path}: {problem}" not in wrong:
                wrong.append(f"{path}: {problem}")
    assert not wrong, "\n".join(wrong)


def misfit(document: dict[str, Any], operation: dict[str, Any], answer: Any) -> str:
    """Return what of an answer is not as the document tells it, or nothing."""
    status = status_in(operation, answer.status_code)
    told = operation["responses"].get(status)
    if told is None:
        return f"{answer.status_code} is not told of"
    if answer.status_code != 200 or not answer["Content-Type"].startswith("application/json"):
        return ""
    content = told.get("content", {}).get("application/json")
    if content is None:
        return "JSON is not told of"
    schema = {**content["schema"], "components": document["components"]}
    errors = Draft202012Validator(schema).iter_errors(answer.json())
    return "; ".join(f"{error.json_path} {error.message[:90]}" for error in [*errors][:4])


def test_the_api_begins_with_an_index(client: Client) -> None:
    found = client.get("/api/v1/", HTTP_ACCEPT="application/json").json()
    assert found["areas"]["Devices"].endswith("/api/v1/controller/device/")
    assert client.get(found["openapi"]).status_code == 200
    page = client.get("/api/v1/", HTTP_ACCEPT="text/html")
    assert "/api/v1/controller/template/" in page.content.decode()
