"""The shape of the body that a view takes, as its page, its OPTIONS and the document tell it."""

import inspect
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.forms import CharField, ChoiceField, Form, Select, Textarea
from django.http import Http404
from rest_framework.exceptions import APIException
from rest_framework.metadata import SimpleMetadata
from rest_framework.relations import RelatedField
from rest_framework.renderers import BrowsableAPIRenderer, HTMLFormRenderer
from rest_framework.request import Request, override_method
from rest_framework.serializers import (
    BaseSerializer,
    DictField,
    ListField,
    ListSerializer,
    Serializer,
)
from rest_framework.utils.serializer_helpers import NestedBoundField

from controller.base.errors import Refused
from controller.dialects.renderers import JSONRenderer

REFUSALS = (APIException, Refused, Http404, PermissionDenied)
BAD = 400
OF_ONE_ROW = frozenset({"PUT", "PATCH"})
Shape = BaseSerializer[Any]


def declared_serializer(view: Any, method: str) -> type[Shape] | None:
    """Return the class of the body's serializer, or None where no JSON object is taken.

    The view says it once: by ``extend_schema`` or by its serializer class.
    """
    actions: dict[str, str] = getattr(view, "action_map", None) or {}
    handler = getattr(view, actions.get(method.lower(), method.lower()), None)
    kind: Any = getattr(handler, "kwargs", {}).get("schema") or type(view.schema)
    if not hasattr(kind, "get_request_serializer"):
        return None
    schema = kind()
    schema.view, schema.method, schema.path = view, method, view.request.path
    found = schema.get_request_serializer()
    if isinstance(found, ListSerializer):
        return None
    found = type(found) if isinstance(found, Serializer) else found
    return found if inspect.isclass(found) and issubclass(found, Serializer) else None


def serializer_for(view: Any, method: str, request: Request, shown: Any = None) -> Shape | None:
    """Return the body's serializer, filled with the row that the address names.

    Where no row can be told from the view, ``shown`` (its answer to GET) fills it.
    """
    kind = declared_serializer(view, method)
    if kind is None:
        return None
    context = (
        view.get_serializer_context()
        if hasattr(view, "get_serializer_context")
        else {"request": request, "view": view, "format": None}
    )
    row = row_of(view, kind, shown) if method in OF_ONE_ROW else None
    if row is None:
        return kind(context=context)
    serializer: Any = kind(row, context=context)
    serializer._data = flattened(serializer.data)
    return serializer  # type: ignore[no-any-return]


def flattened(value: Any) -> Any:
    """Return a row as its fields are named: of a GeoJSON feature, its properties."""
    if not isinstance(value, dict):
        return value
    if value.get("type") == "Feature" and isinstance(value.get("properties"), dict):
        value = {"id": value.get("id"), "geometry": value["geometry"], **value["properties"]}
    return {name: flattened(inner) for name, inner in value.items()}


def row_of(view: Any, kind: type[Shape], shown: Any) -> Any:
    serializer = getattr(shown, "serializer", None)
    instance = getattr(serializer, "instance", None)
    if isinstance(instance, Model) and isinstance(serializer, kind):
        return instance
    model = getattr(getattr(kind, "Meta", None), "model", None)
    if names_a_row(view) and model in {None, view.queryset.model}:
        return view.get_object()
    return shown if isinstance(shown, Mapping) else None


def names_a_row(view: Any) -> bool:
    if getattr(view, "queryset", None) is None:
        return False
    return (view.lookup_url_kwarg or view.lookup_field) in view.kwargs


class Metadata(SimpleMetadata):
    """What OPTIONS tells: DRF's words, and the fields of the bodies that views declare."""

    def determine_metadata(self, request: Request, view: Any) -> dict[str, Any]:
        told: dict[str, Any] = dict(super().determine_metadata(request, view))
        if "actions" not in told and (actions := self.determine_actions(request, view)):
            told["actions"] = actions
        return told

    def determine_actions(self, request: Request, view: Any) -> dict[str, Any]:
        found = {}
        for method in ("POST", "PUT"):
            if method not in view.allowed_methods:
                continue
            with override_method(view, request, method) as asked:
                try:
                    view.check_permissions(asked)
                    serializer = serializer_for(view, method, asked)
                except REFUSALS:
                    continue
                if serializer is not None:
                    found[method] = self.get_serializer_info(serializer)
        return found


class FormRenderer(HTMLFormRenderer):
    """DRF's form. Of a list of objects, it has the fields of the first, or of a new one."""

    def render_field(self, field: Any, parent_style: Mapping[str, Any]) -> str:
        if isinstance(field._field, ListSerializer):
            child: Any = field._field.child
            for inner in child.fields.values():
                # Left empty, there is no such object.
                inner.allow_null |= isinstance(inner, RelatedField)
            first = field.value[0] if isinstance(field.value, list) and field.value else None
            field = NestedBoundField(child, first, [], prefix=field.name)
        text: str = super().render_field(field, parent_style)
        return text


class PageRenderer(BrowsableAPIRenderer):
    """DRF's page of an address, with the forms of the bodies that views declare, filled."""

    form_renderer_class = FormRenderer
    # Set by DRF for each answer.
    renderer_context: dict[str, Any]

    def get_rendered_html_form(
        self, data: Any, view: Any, method: str, request: Request
    ) -> Any:
        with override_method(view, request, method) as asked:
            if not may(view, method, asked):
                return None
            if method in {"DELETE", "OPTIONS"}:
                return True
            if not any("form" in one.media_type for one in view.parser_classes):
                return None
            serializer = kept_input(data, request, method) or self.filled(
                view, method, asked, data
            )
            return serializer and self.render_form_for_serializer(serializer)

    def get_raw_data_form(self, data: Any, view: Any, method: str, request: Request) -> Any:
        with override_method(view, request, method) as asked:
            if not view.parser_classes or not may(view, method, asked):
                return None
            serializer = self.filled(view, method, asked, data)
        content = None if serializer is None else self.as_text(view, serializer)
        return raw_form([one.media_type for one in view.parser_classes], content)

    def filled(self, view: Any, method: str, request: Request, data: Any) -> Shape | None:
        is_good = self.renderer_context["response"].status_code < BAD
        try:
            serializer = serializer_for(view, method, request, data if is_good else None)
            _ = serializer and serializer.data
        except (KeyError, AttributeError, TypeError):
            # The answer has another shape than the body.
            serializer = serializer_for(view, method, request)
        return serializer

    def as_text(self, view: Any, serializer: Any) -> str:
        shown = {
            name: value
            for name, value in serializer.data.items()
            if name in serializer.fields and not serializer.fields[name].read_only
        }
        # Objects and lists have no field in the form, so here is where they are written.
        shown = {
            name: field.get_initial()
            for name, field in serializer.fields.items()
            if field.write_only and isinstance(field, DictField | ListField)
        } | shown
        context = {**self.renderer_context, "indent": 4}
        text: bytes = JSONRenderer().render(shown, "application/json; indent=4", context)
        return text.decode()


def may(view: Any, method: str, request: Request) -> bool:
    """Whether the caller may do this here: somewhere, and with the row that is named."""
    if method not in view.allowed_methods:
        return False
    try:
        view.check_permissions(request)
        if method != "OPTIONS" and names_a_row(view):
            view.get_object()
    except REFUSALS:
        return False
    return True


def kept_input(data: Any, request: Request, method: str) -> Shape | None:
    """Return the serializer that refused what was sent, so that nobody types it again."""
    serializer = getattr(data, "serializer", None)
    kept = request.method == method and isinstance(serializer, Serializer)
    return serializer if kept and hasattr(serializer, "initial_data") else None


def raw_form(kinds: list[str], content: str | None) -> Form:
    """Return the form in which a body of any type is written by hand."""
    form = Form()
    form.fields["_content_type"] = ChoiceField(
        label="Media type",
        choices=[(kind, kind) for kind in kinds],
        widget=Select(attrs={"data-override": "content-type"}),
    )
    form.fields["_content"] = CharField(
        label="Content",
        widget=Textarea(attrs={"data-override": "content"}),
        initial=content,
        required=False,
    )
    return form
