"""Bodies of PATCH: what is nested in them is as partial as they are."""

from typing import Any

PREFIX = "Patched"
REFERENCE = "#/components/schemas/"


def make_partial(schemas: dict[str, Any]) -> None:
    """Let no object inside the body of a PATCH require a field: what is left out stays."""
    waiting = [name for name in schemas if name.startswith(PREFIX)]
    while waiting:
        properties = schemas[waiting.pop()].get("properties", {})
        for inner in properties.values():
            for one in (inner, *inner.get("anyOf", ()), *inner.get("allOf", ())):
                name = one.get("$ref", "").removeprefix(REFERENCE)
                if "required" not in schemas.get(name, {}) or name.startswith(PREFIX):
                    continue
                partial = f"{PREFIX}{name}"
                one["$ref"] = f"{REFERENCE}{partial}"
                if partial not in schemas:
                    whole = schemas[name].items()
                    schemas[partial] = {key: value for key, value in whole if key != "required"}
                    waiting.append(partial)
