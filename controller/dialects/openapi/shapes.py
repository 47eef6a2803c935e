"""Shapes in the OpenAPI document that serializers do not tell by themselves.

A serializer names those of its fields in ``shapes``; where answers and bodies differ, in
``answer_shapes`` and ``body_shapes``.
"""

from typing import Any

# Any JSON, where clients may store what they like.
ANYTHING = {"description": "Any JSON."}
OBJECT = {"type": "object", "additionalProperties": {}}
OBJECTS = {"type": "array", "items": OBJECT}
TEXTS = {"type": "array", "items": {"type": "string"}}
NUMBERS = {"type": "array", "items": {"type": "integer"}}


def named(name: str) -> dict[str, Any]:
    """Return a reference to one of the schemas in ``SCHEMAS``."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


# GeoJSON, RFC 7946.
GEOMETRY = named("Geometry")
SCHEMAS: dict[str, Any] = {
    "Geometry": {
        "type": "object",
        "required": ["type"],
        "description": "A geometry of GeoJSON (RFC 7946).",
        "properties": {
            "type": {
                "type": "string",
                "enum": [
                    "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon",
                    "MultiPolygon", "GeometryCollection",
                ],
            },
            "coordinates": {"type": "array", "items": {}, "example": [12.9721, 77.5933]},
            "geometries": {"type": "array", "items": GEOMETRY},
        },
        "example": {"type": "Point", "coordinates": [12.9721, 77.5933]},
    },
}  # fmt: skip


def feature(**properties: Any) -> dict[str, Any]:
    """Return the shape of a GeoJSON feature with these properties."""
    return {
        "type": "object",
        "required": ["type", "geometry", "properties"],
        "properties": {
            "type": {"type": "string", "enum": ["Feature"]},
            "geometry": nullable(GEOMETRY),
            "properties": {
                "type": "object",
                "required": sorted(properties),
                "properties": properties,
            },
        },
    }
