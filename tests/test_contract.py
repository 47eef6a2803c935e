"""Generated requests: no crash, and no answer missing in the OpenAPI document."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as bounds
from schemathesis.specs.openapi.checks import status_code_conformance

from controller.asgi import django_application
from tests.demo_world import World, build

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
    world = build()
    schema = schemathesis.openapi.from_dict(document)
    schema.app = django_application
    wrong = []
    found = [one.ok() for one in schema.get_all_operations()]
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
        case.path_parameters = world.values(case.operation.path)
        case.headers = {
            "Authorization": world.headers["super"]["HTTP_AUTHORIZATION"],
            "Accept": "application/json",
        }
        case.cookies = {}
        with transaction.atomic():
            response = case.call()
            transaction.set_rollback(True)
        # 501, 502 and 504 are documented answers.
        assert response.status_code != 500, response.text
        case.validate_response(response, checks=[status_code_conformance])

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
