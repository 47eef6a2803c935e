"""Every call of a supervisor as an operation of its own in the OpenAPI document."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from supervisor_proxy.engine import balena, hassio
from supervisor_proxy.engine.routes import PLACE, Route, dotted

WILDCARDS = ("/api/v1/controller/device/{device_id}/hassio/{path}", "/supervisor/{path}")
HASSIO = "/api/v1/controller/device/{device_id}/hassio"
BALENA = "/supervisor"
ASK = {"$ref": "#/components/schemas/AskRequest"}
UUID = {"type": "string", "format": "uuid"}
SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"key": []}, {"hassio": []}]
# What a device answers besides JSON.
KINDS = {"text": "text/plain", "follow": "text/plain", "image": "image/png"}


def add_calls(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Replace the wildcards by the rows of the tables (a drf-spectacular hook)."""
    paths = result["paths"]
    ask = paths.get(WILDCARDS[1], {}).get("post", {}).get("requestBody", {})
    for wildcard in WILDCARDS:
        paths.pop(wildcard, None)
    for path, method, operation in (*hassio_calls(), *balena_calls(ask)):
        paths.setdefault(path, {})[method] = operation
    return result


def hassio_calls() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for route in (*hassio.TABLE, *hassio.STREAMS):
        given = [parameter("device_id", "path", UUID)]
        operation = described(route, "hassio", [*given, *parameters(route)])
        operation["responses"] = {"200": {
            "description": "The device's own answer.",
            "content": {KINDS.get(route.kind, "application/json"): {"schema": {}}},
        }}  # fmt: skip
        if route.body is not None:
            kind = "application/octet-stream" if route.raw else "application/json"
            operation["requestBody"] = {"content": {kind: {"schema": shape_of(route)}}}
        yield f"{HASSIO}{route.pattern}", route.method.lower(), operation


def shape_of(route: Route) -> dict[str, Any]:
    return {"type": "string", "format": "binary"} if route.raw else {"type": "object"}


def balena_calls(ask: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield one POST for each path; which method the device gets stands in the body."""
    for pattern in dict.fromkeys(route.pattern for route in balena.TABLE):
        routes = [route for route in balena.TABLE if route.pattern == pattern]
        operation = described(routes[0], "balena", list(parameters(routes[0])))
        methods = ", ".join(route.method for route in routes)
        operation["summary"] = f"Call {pattern} ({methods}) of devices"
        operation["requestBody"] = ask
        operation["responses"] = {
            status: {"description": about, "content": {"application/json": {"schema": {}}}}
            for status, about in (
                ("200", "The device's own answer."),
                ("202", "Accepted by the device, or kept for later."),
                ("207", "The answers of several devices."),
            )
        } | {"204": {"description": "The device answered without a body."}}
        yield f"{BALENA}{pattern}", "post", operation


def described(route: Route, family: str, given: Iterable[dict[str, Any]]) -> dict[str, Any]:
    words = re.sub(r"[^a-zA-Z0-9]+", "_", f"{route.method} {route.pattern}").strip("_")
    bounds = [
        *([f"since version {dotted(route.since)}"] if route.since else []),
        *([f"until version {dotted(route.until)}"] if route.until else []),
    ]
    return {
        "operationId": f"{family}_{words.lower()}",
        "summary": f"{route.method} {route.pattern}",
        "description": f"A call of the supervisor{', ' if bounds else ''}{', '.join(bounds)}.",
        "x-permission": f"supervisor:{route.permission}",
        "security": SECURITY,
        "parameters": list(given),
    }


def parameters(route: Route) -> Iterator[dict[str, Any]]:
    for name in PLACE.findall(route.pattern):
        yield parameter(name, "path", {"type": "string"})
    for name in route.query:
        yield parameter(name, "query", {"type": "string"})


def parameter(name: str, where: str, schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "in": where, "schema": schema}
    return found | {"required": True} if where == "path" else found
