"""Errors in the OpenAPI document: for each dialect one answer for 4XX and one for 5XX."""

from typing import Any

# What each status of an error means, whatever is asked.
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
FAMILIES = ("4XX", "5XX")
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


def shared_errors() -> dict[str, Any]:
    """Return the errors of each dialect, once for all operations."""
    return {
        f"{dialect}{family}": {
            "description": meanings(family),
            "content": {
                "application/json": {
                    "schema": {"$ref": f"#/components/schemas/{dialect}Error"},
                    "example": example,
                }
            },
        }
        for dialect, (_, example) in SHAPES.items()
        for family in FAMILIES
    }


def meanings(family: str) -> str:
    """Return what each status of a family means, as a list."""
    return "\n".join(
        f"* {one}: {about}" for one, about in ERRORS.items() if one[0] == family[0]
    )


def add_errors(path: str, operation: dict[str, Any]) -> None:
    dialect = dialect_of(path)
    for family in FAMILIES:
        operation["responses"].setdefault(
            family, {"$ref": f"#/components/responses/{dialect}{family}"}
        )
