"""Shortens the OpenAPI document: what many operations have in common is written once."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

METHODS = frozenset({"get", "post", "put", "patch", "delete"})
# A parameter that so many operations have is a component.
SHARED = 3


def shorten(document: dict[str, Any]) -> None:
    share_parameters(document)
    share_security(document)
    for operation in operations(document):
        if operation.get("description", "").strip() == operation.get("summary"):
            del operation["description"]


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        yield from (one for method, one in methods.items() if method in METHODS)


def share_parameters(document: dict[str, Any]) -> None:
    """Make components of the parameters that many operations have."""
    found = Counter(
        json.dumps(one, sort_keys=True)
        for operation in operations(document)
        for one in operation.get("parameters", ())
    )
    names: dict[str, str] = {}
    for text, count in sorted(found.items()):
        if count >= SHARED:
            names[text] = free_name(json.loads(text), set(names.values()))
    document["components"]["parameters"] = {
        name: json.loads(text) for text, name in names.items()
    }
    for operation in operations(document):
        if "parameters" in operation:
            operation["parameters"] = [
                {"$ref": f"#/components/parameters/{names[text]}"} if text in names else one
                for one in operation["parameters"]
                for text in [json.dumps(one, sort_keys=True)]
            ]


def free_name(parameter: dict[str, Any], taken: set[str]) -> str:
    """Return a name for the component of a parameter, such as ``DeviceIdInPath``."""
    words = re.findall(r"[A-Za-z0-9]+", parameter["name"])
    name = "".join(one[:1].upper() + one[1:] for one in words)
    name += "InPath" if parameter["in"] == "path" else ""
    # Others of this name differ in their kind or description.
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}{number}", number + 1
    return free


def share_security(document: dict[str, Any]) -> None:
    """Say once, for the document, how most operations are signed in to."""
    found = Counter(
        json.dumps(one["security"]) for one in operations(document) if "security" in one
    )
    if not found:
        return
    usual = json.loads(found.most_common(1)[0][0])
    for operation in operations(document):
        # Without any, an operation is public.
        if operation.setdefault("security", []) == usual:
            del operation["security"]
    document["security"] = usual
