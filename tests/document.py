"""The OpenAPI document, and what of an answer is not as it says."""

import re
from functools import cache
from typing import Any
from urllib.parse import quote

import jsonschema_rs

from controller.dialects.openapi.views import document

MOST = 4


@cache
def registry() -> jsonschema_rs.Registry:
    return jsonschema_rs.Registry([("urn:document", document())])


@cache
def templates() -> list[tuple[re.Pattern[str], str]]:
    """Return the paths of the document as patterns, those with the fewest parameters first."""
    paths = sorted(document()["paths"], key=lambda path: (path.count("{"), -len(path)))
    return [(as_pattern(path), path) for path in paths]


def as_pattern(path: str) -> re.Pattern[str]:
    """Return the pattern of a path, with or without the slash at its end."""
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path.rstrip("/"))))


def operation_of(method: str, path: str) -> tuple[str, dict[str, Any]] | None:
    """Return the template and the operation of this address, or None."""
    plain = path.partition("?")[0].rstrip("/")
    for pattern, template in templates():
        operation = document()["paths"][template].get(method.lower())
        if operation is not None and pattern.fullmatch(plain):
            return template, operation
    return None


def status_in(operation: dict[str, Any], status: int) -> str | None:
    """Return what an operation's answer with this status is told as: itself, or its family."""
    told = operation["responses"]
    return next((one for one in (str(status), f"{status // 100}XX") if one in told), None)


def parameters_of(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of an operation, each written out."""
    shared = document()["components"]["parameters"]
    return [
        shared[one["$ref"].rpartition("/")[2]] if "$ref" in one else one
        for one in operation.get("parameters", [])
    ]


def misfit(method: str, path: str, status: int, answer: Any) -> str:
    """Return what of this JSON answer is not as the document says; empty if all is."""
    found = operation_of(method, path)
    if found is None:
        return "" if status in {404, 405} else "the operation is not documented"
    template, operation = found
    if status == 405:
        # Of an address that is a pattern, not every method is one of each path.
        return ""
    told = status_in(operation, status)
    if told is None:
        return f"status {status} is not documented"
    validator = validator_of(template, method.lower(), told)
    if validator is None:
        return "a JSON answer is not documented"
    errors = [*validator.iter_errors(answer)][:MOST]
    return "; ".join(f"{list(error.instance_path)} {error.message[:160]}" for error in errors)


@cache
def validator_of(template: str, method: str, status: str) -> Any:
    """Return the validator of an operation's JSON answer, or None if it has no JSON."""
    response = document()["paths"][template][method]["responses"][status]
    pointer = (
        f"/paths/{template.replace('~', '~0').replace('/', '~1')}/{method}/responses/{status}"
    )
    if "$ref" in response:
        pointer = response["$ref"].removeprefix("#")
        response = document()["components"]["responses"][pointer.rpartition("/")[2]]
    if "application/json" not in response.get("content", {}):
        return None
    schema = {"$ref": f"urn:document#{quote(pointer)}/content/application~1json/schema"}
    return jsonschema_rs.Draft202012Validator(
        schema, registry=registry(), validate_formats=True
    )


def misfit_of(method: str, path: str, response: Any) -> str:
    """Return what of an answer of the test client is not as the document says.

    Addresses that are not in the document, and answers that are no JSON, are as they are.
    """
    kind = response.headers.get("Content-Type", "")
    is_json = kind.startswith(("application/json", "application/geo+json"))
    if response.streaming or not is_json or operation_of(method, path) is None:
        return ""
    return misfit(method, path, response.status_code, response.json())
