"""Pages of lists, for views that make them without DRF's generic lists."""

from typing import Any

from drf_spectacular.drainage import set_override
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers


def page_of(shape: type[serializers.BaseSerializer[Any]]) -> Any:
    """Return the shape of DRF's page of these."""
    page = inline_serializer(
        f"{shape.__name__}Page",
        {
            "count": serializers.IntegerField(),
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
            "results": shape(many=True),
        },
    )
    # It is one object, also where the action is called list.
    set_override(page, "many", False)  # noqa: FBT003 - the value of an override
    return page


def items_of(shape: type[serializers.BaseSerializer[Any]]) -> Any:
    """Return the shape of FreeSDN's page of these."""
    numbers = ("total", "page", "per_page", "pages")
    return inline_serializer(
        f"{shape.__name__}Items",
        {"items": shape(many=True), **{name: serializers.IntegerField() for name in numbers}},
    )
