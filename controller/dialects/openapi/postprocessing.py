"""Postprocessing of the OpenAPI document: parts common to all operations.

Adds a summary (the first sentence of the view's docstring), the required permission, the
dialect's errors, and examples generated from the schemas.
"""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework.permissions import AllowAny

from controller.dialects.openwisp import permission_of

DEEPEST = 6
METHODS = frozenset({"get", "post", "put", "patch", "delete"})
ERRORS = {
    "400": "Something that was sent is wrong.",
    "401": "Not signed in, or no longer.",
    "403": "Not permitted, or the CSRF token is missing.",
    "404": "There is no such row, or none that one may know of.",
    "405": "Not with this method.",
    "406": "Not in any format that is accepted.",
    "409": "The rows are in a state that forbids it now.",
    "413": "The body is too large.",
    "415": "The body is of a type that is not read here.",
    "422": "A field is wrong; details tells which.",
    "423": "Locked after too many failures; see Retry-After.",
    "429": "Too many requests; see Retry-After.",
    "502": "A device or service does not answer.",
    "504": "A device did not answer in time: it may have been done.",
}
OF_READING = frozenset({"400", "401", "403", "404", "405", "406", "422", "429", "502", "504"})
ENVELOPE = {
    "error": {"code": 403, "message": "Permission denied", "request_id": "ext-a1b2c3d4"}
}
DETAIL = {"detail": "You do not have permission to perform this action."}
PLAIN = ("/api/v1/controller/", "/api/v1/connection/", "/api/v1/users/", "/api/v1/ipam/")
FORMATS: dict[str, Any] = {
    "uuid": "8d1c5b0e-6f0a-4b51-9e0a-0c6a3f6f2b11", "date-time": "2026-11-26T12:00:00Z",
    "email": "alice@example.com", "uri": "https://example.com", "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1", "date": "2026-11-26", "binary": "…",
}  # fmt: skip
TYPES: dict[str, Any] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True}


class Operations(AutoSchema):
    """Schema class that adds summary and required permission to operations."""

    def get_summary(self) -> str | None:
        first = (self.get_description() or "").strip().partition("\n\n")[0]
        return " ".join(first.split()) or self.get_operation_id().replace("_", " ").capitalize()

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            operation["x-permission"] = self.permission()
        return operation

    def permission(self) -> str:
        if AllowAny in getattr(self.view, "permission_classes", []):
            return "public"
        if not hasattr(self.view, "resource"):
            return "authenticated"
        request: Any = type("Asked", (), {"method": self.method})()
        return permission_of(self.view, request)


def describe(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add errors and examples to all operations (a drf-spectacular hook)."""
    schemas = result["components"]["schemas"]
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                add_errors(path, method, operation)
                bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
                for body in bodies:
                    add_examples(body, schemas)
    return result


def add_errors(path: str, method: str, operation: dict[str, Any]) -> None:
    example = DETAIL if path.startswith(PLAIN) else ENVELOPE
    content = {"application/json": {"schema": {"type": "object"}, "example": example}}
    for status, about in ERRORS.items():
        if method != "get" or status in OF_READING:
            operation["responses"].setdefault(
                status, {"description": about, "content": content}
            )


def add_examples(body: dict[str, Any], schemas: dict[str, Any]) -> None:
    for content in body.get("content", {}).values():
        if "example" not in content and "examples" not in content:
            content["example"] = example_of(content.get("schema", {}), schemas)


def example_of(schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> Any:
    """Return an example value of this schema."""
    for name in ("example", "default"):
        if schema.get(name) is not None:
            return schema[name]
    if "enum" in schema:
        return schema["enum"][0]
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, depth)
    parts = next(
        (schema[name] for name in ("allOf", "oneOf", "anyOf") if schema.get(name)), None
    )
    return example_of(parts[0], schemas, depth) if parts else _by_type(schema, schemas, depth)


def _by_type(schema: dict[str, Any], schemas: dict[str, Any], depth: int) -> Any:
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if depth < DEEPEST and kind == "array":
        return [example_of(schema.get("items", {}), schemas, depth + 1)]
    if depth < DEEPEST and "properties" in schema:
        return {
            name: example_of(one, schemas, depth + 1)
            for name, one in schema["properties"].items()
        }
    return FORMATS.get(schema.get("format", ""), TYPES.get(kind, {}))
