"""Postprocessing of the OpenAPI document: parts common to all operations.

Adds a summary (the first sentence of the view's docstring), the required permission, the
dialect's errors, and examples generated from the schemas.
"""

import json
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import append_meta
from rest_framework.permissions import AllowAny

from controller.dialects.openapi.compact import METHODS, shorten
from controller.dialects.openapi.errors import SHAPES, add_errors, shared_errors
from controller.dialects.openapi.partial import make_partial
from controller.dialects.openapi.shapes import SCHEMAS
from controller.dialects.openwisp import permission_of

DEEPEST = 6
# Tags, by the longest beginning of a path; what begins like none is of its third part.
TAGS: tuple[tuple[str, str], ...] = (
    ("/api/v1/controller/device/{device_id}/hassio/", "Home Assistant: calls"),
    ("/supervisor/", "balena: calls"),
    ("/api/networks/", "Private networks (Husarnet)"), ("/api/network/", "Private networks (Husarnet)"),
    ("/api/status/", "Private networks (Husarnet)"),
    ("/api/v1/networks/", "Private networks"),
    ("/api/v1/gateway", "Gateways and staged changes"), ("/api/v1/change-sets/", "Gateways and staged changes"),
    ("/api/v1/controller/device/{device_id}/command/", "Commands"),
    ("/api/v1/controller/device/{device_id}/connection/", "Connections"),
    ("/api/v1/controller/device/{id}/location/", "Places"),
    ("/api/v1/controller/device/{id}/coordinates/", "Places"),
    ("/api/v1/controller/device/", "Devices"), ("/api/v1/devices/", "Devices (FreeSDN)"),
    ("/api/v1/controller/group/", "Groups"),
    ("/api/v1/controller/template/", "Templates"), ("/api/v1/controller/rollout/", "Rollouts"),
    ("/api/v1/controller/version/", "History"), ("/api/v1/controller/enrollment/", "Enrollment"),
    ("/api/v1/controller/vpn/", "VPN servers"),
    ("/api/v1/controller/ca/", "Certificates"), ("/api/v1/controller/cert/", "Certificates"),
    ("/api/v1/controller/location/", "Places"), ("/api/v1/controller/floorplan/", "Places"),
    ("/api/v1/controller/organization/", "Organizations"),
    ("/api/v1/controller/credential/", "Connections"), ("/api/v1/connection/", "Connections"),
    ("/api/v1/controller/command-batch/", "Commands"), ("/api/v1/controller/batch-command/", "Commands"),
    ("/api/v1/controller/supervisor", "Supervisors"), ("/api/v1/controller/terminal/", "Terminals"),
    ("/api/v1/controller/home", "Home Assistant: fleet"), ("/api/v1/controller/backup", "Home Assistant: fleet"),
    ("/api/v1/controller/stored-backup/", "Home Assistant: fleet"),
    ("/api/v1/controller/update-campaign/", "Home Assistant: fleet"),
    ("/api/v1/controller/inventory/", "Inventory"),
    ("/api/v1/ipam/", "Subnets and addresses"),
    ("/api/v1/users/organization/", "Organizations"), ("/api/v1/users/", "Users"),
    ("/api/v1/auth/", "Sign-in"), ("/api/v1/api-keys/", "API keys"),
    ("/api/v1/sites/", "Sites"), ("/api/v1/audit/", "Audit"),
    ("/api/v1/discovery/", "Discovery"), ("/api/v1/notifications/", "Notifications"),
    ("/media/", "Places"),
    ("/api/v1/monitoring/", "Monitoring"), ("/api/v1/firmware", "Firmware"),
)  # fmt: skip


def tag_of(path: str) -> str:
    fitting = [(start, tag) for start, tag in TAGS if path.startswith(start)]
    if fitting:
        return max(fitting, key=lambda one: len(one[0]))[1]
    part = (*path.strip("/").split("/"), "", "", "")[2]
    return part.replace("-", " ").capitalize() or "Other"


MULTIPART = "multipart/form-data"
NULL = {"type": "null"}
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

    def _map_serializer_field(self, field: Any, direction: Any, *args: Any) -> Any:
        known = shape_of(field, direction)
        if known is None:
            return super()._map_serializer_field(field, direction, *args)  # type: ignore[no-untyped-call]
        meta = self._get_serializer_field_meta(field, direction)  # type: ignore[no-untyped-call]
        return append_meta(dict(known), meta)

    def permission(self) -> str:
        if AllowAny in getattr(self.view, "permission_classes", []):
            return "public"
        if not hasattr(self.view, "resource"):
            return "authenticated"
        request: Any = type("Asked", (), {"method": self.method})()
        return permission_of(self.view, request)


def shape_of(field: Any, direction: str) -> dict[str, Any] | None:
    """Return the shape that the serializer of a field names for it, or None."""
    kind = "body_shapes" if direction == "request" else "answer_shapes"
    for names in (kind, "shapes"):
        found: dict[str, Any] | None = getattr(field.parent, names, {}).get(field.field_name)
        if found is not None:
            return found
    return None


def describe(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add tags, errors and examples to all operations (a drf-spectacular hook)."""
    # A copy without parts that stand in two places.
    result = json.loads(json.dumps(result, default=str))
    components = result["components"]
    components["schemas"] |= json.loads(json.dumps(SCHEMAS))
    modernize(result["paths"])
    modernize(components)
    make_partial(components["schemas"])
    components["schemas"] |= {f"{name}Error": shape for name, (shape, _) in SHAPES.items()}
    components["responses"] = shared_errors()
    schemas = components["schemas"]
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            if method not in METHODS:
                continue
            operation["tags"] = [tag_of(path)]
            drop_foreign_parameters(path, operation)
            only_one_format(operation.get("requestBody", {}), schemas)
            add_errors(path, operation)
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for body in bodies:
                add_examples(body, schemas)
    result["tags"] = [{"name": name} for name in sorted(tags_in(result["paths"]))]
    result["servers"] = [{"url": "/"}]
    shorten(result)
    return result


def modernize(part: Any) -> None:
    """Write what DRF and its packages say in the words of OpenAPI 3.0 as JSON Schema has it."""
    waiting = [part]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        if not isinstance(one, dict):
            continue
        if one.pop("nullable", False) is True:
            make_nullable(one)
        # An empty text fits several of them.
        if isinstance(one.get("oneOf"), list) and "discriminator" not in one:
            one["anyOf"] = one.pop("oneOf")
        if one.get("default") == "" and one.get("minLength"):
            del one["default"]
        waiting += one.values()


def make_nullable(schema: dict[str, Any]) -> None:
    kind = schema.get("type")
    if isinstance(kind, str):
        schema["type"] = [kind, "null"]
    elif "anyOf" in schema:
        schema["anyOf"] = [*(one for one in schema["anyOf"] if one != NULL), NULL]
    elif kind is None and schema:
        inner = dict(schema)
        schema.clear()
        schema["anyOf"] = [inner, NULL]


def drop_foreign_parameters(path: str, operation: dict[str, Any]) -> None:
    """Leave out what is declared for a longer path of the same view."""
    given = operation.get("parameters", [])
    kept = [one for one in given if one["in"] != "path" or f"{{{one['name']}}}" in path]
    if len(kept) != len(given):
        operation["parameters"] = kept


def tags_in(paths: dict[str, Any]) -> set[str]:
    return {
        tag
        for methods in paths.values()
        for method, operation in methods.items()
        if method in METHODS
        for tag in operation["tags"]
    }


def only_one_format(body: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Leave JSON, or the form where files are taken: generators make one call of each."""
    content = body.get("content", {})
    if "application/json" not in content:
        return
    has_files = takes_files(content["application/json"], schemas)
    kind = MULTIPART if has_files and MULTIPART in content else "application/json"
    body["content"] = {kind: content[kind]}


def takes_files(content: dict[str, Any], schemas: dict[str, Any]) -> bool:
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    return any(one.get("format") == "binary" for one in schema.get("properties", {}).values())


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
