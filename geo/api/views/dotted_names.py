"""Requests whose fields are named with dots: ``location.name`` in place of nesting."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers


def nested(data: Any) -> Any:
    """Expand dotted names of a request (``location.name``) into nested values."""
    if not isinstance(data, Mapping):
        return data
    tree: dict[str, Any] = {}
    for name, value in data.items():
        *parents, last = name.split(".")
        branch = tree
        for parent in parents:
            below = branch.setdefault(parent, {})
            if not isinstance(below, dict):
                raise serializers.ValidationError(
                    {parent: [f"It has a value of its own, so {name} cannot stand under it."]}
                )
            branch = below
        if isinstance(branch.get(last), dict) and not isinstance(value, Mapping):
            raise serializers.ValidationError(
                {last: ["It has a value of its own and values under it; send one of the two."]}
            )
        branch[last] = nested(value)
    return tree


def without_named_image(data: Any) -> Any:
    """Leave out a floor plan whose image is only named, as JSON carries no file.

    OpenWISP documents a new location in this form, and creates it without a floor plan.
    """
    if type(data) is not dict or not isinstance(data.get("floorplan.image"), str):
        return data
    return {name: value for name, value in data.items() if not name.startswith("floorplan.")}
