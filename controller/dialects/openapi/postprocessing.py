"""Postprocessing of the OpenAPI document: parts common to all operations.

Adds a summary (the first sentence of the view's docstring), the required permission, the
dialect's errors, and examples generated from the schemas.
"""

import json
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import append_meta
from rest_framework.permissions import AllowAny

from controller.dialects.openapi.partial import make_partial
from controller.dialects.openapi.shapes import SCHEMAS
from controller.dialects.openwisp import permission_of

DEEPEST = 6
METHODS = frozenset({"get", "post", "put", "patch", "delete"})
ERRORS = {
    "400": "Something that was sent is wrong.",
    "401": "Not signed in, or no longer.",
    "403": "Not permitted, or the CSRF token is missing.",
    "404": "There is no such row, or none that one may know of.",
    "406": "Not in any format that is accepted.",
    "409": "The rows are in a state that forbids it now.",
    "413": "The body is too large.",
    "415": "The body is of a type that is not read here.",
    "422": "A field is wrong; details tells which.",
    "423": "Locked after too many failures; see Retry-After.",
    "429": "Too many requests; see Retry-After.",
    "501": "The device's version does not have it.",
    "502": "A device or service does not answer.",
    "503": "The device is away; nothing was done.",
    "504": "A device did not answer in time: it may have been done.",
}
# Statuses of calls that are passed on to devices.
OF_DEVICES = frozenset({"501", "503"})
OF_READING = frozenset({"400", "401", "403", "404", "406", "422", "429", "502", "504"})
SENTENCE = {"type": "string"}
# The shape of an error, with an example, by dialect.
SHAPES: dict[str, tuple[dict[str, Any], Any]] = {
    "OpenWisp": (
        {
            "type": ["object", "array"],
            "properties": {"detail": SENTENCE},
            "additionalProperties": True,
            "items": SENTENCE,
            "description": "A sentence under detail, by field a list of sentences, or a list.",
        },
        {"detail": "You do not have permission to perform this action."},
    ),
    "FreeSdn": (
        {
            "type": "object",
            "required": ["error", "detail"],
            "properties": {
                "detail": SENTENCE,
                "error": {
                    "type": "object",
                    "required": ["code", "message", "request_id"],
                    "properties": {
                        "code": {"type": "integer"},
                        "message": SENTENCE,
                        "request_id": SENTENCE,
                        "details": {"type": "array", "items": {"type": "object"}},
                    },
                },
            },
        },
        {
            "error": {"code": 403, "message": "Permission denied", "request_id": "ext-a1b2c3d4"},
            "detail": "Permission denied",
        },
    ),
    "Husarnet": (
        {"type": "object", "required": ["status"], "properties": {"status": SENTENCE}},
        {"status": "not-found", "detail": "Not found."},
    ),
    "Balena": (
        {"type": "object", "required": ["message"], "properties": {"message": SENTENCE}},
        {"message": "No online device(s) found", "detail": "No online device(s) found",
         "code": "no_device", "request_id": "ext-a1b2c3d4"},
    ),
    "Hassio": (
        {"type": "object", "required": ["result", "message"],
         "properties": {"result": {"enum": ["error"]}, "message": SENTENCE}},
        {"result": "error", "message": "There is no such call of a supervisor here."},
    ),
}  # fmt: skip
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
OPENWISP = (
    "/api/v1/controller/", "/api/v1/connection/", "/api/v1/users/", "/api/v1/ipam/",
    "/api/v1/networks/", "/api/v1/monitoring/", "/api/v1/firmware", "/media/",
)  # fmt: skip


# Below a path of another dialect.
FREESDN = frozenset({"/api/v1/users/", "/api/v1/users/{id}/"})


def dialect_of(path: str) -> str:
    """Return the dialect in whose words a path tells errors."""
    if "/hassio/" in path:
        return "Hassio"
    if path.startswith(("/supervisor/", "/device/")):
        return "Balena"
    if path.startswith(("/api/network", "/api/status", "/api/join")):
        return "Husarnet"
    if path in FREESDN:
        return "FreeSdn"
    plain = path.startswith(OPENWISP) or (
        path.startswith("/api/v1/notifications/") and "/in-app" not in path
    )
    return "OpenWisp" if plain else "FreeSdn"


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
            add_errors(path, method, operation)
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for body in bodies:
                add_examples(body, schemas)
    result["tags"] = [{"name": name} for name in sorted(tags_in(result["paths"]))]
    result["servers"] = [{"url": "/"}]
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


def shared_errors() -> dict[str, Any]:
    """Return the errors of each dialect, once for all operations."""
    return {
        f"{dialect}{status}": {
            "description": about,
            "content": {
                "application/json": {
                    "schema": {"$ref": f"#/components/schemas/{dialect}Error"},
                    "example": example,
                }
            },
        }
        for dialect, (_, example) in SHAPES.items()
        for status, about in ERRORS.items()
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


def add_errors(path: str, method: str, operation: dict[str, Any]) -> None:
    dialect = dialect_of(path)
    relays = dialect in {"Balena", "Hassio"}
    for status in ERRORS:
        common = method != "get" or status in OF_READING
        if relays if status in OF_DEVICES else common:
            operation["responses"].setdefault(
                status, {"$ref": f"#/components/responses/{dialect}{status}"}
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
