"""Form fields and widgets of configurations."""

import json
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext

from controller.base.forms import SchemaWidget
from controller.configs.models import Backend, Template


class ConfigWidget(SchemaWidget):
    """The editor of a configuration, by the schema of its backend."""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["schemas"] = {
            backend: reverse("admin:configs_schema", args=[backend])
            for backend in Backend.values
        }
        return context


class TemplatesWidget(forms.TextInput):
    """Ordered selection of templates."""

    template_name = "portal/templates.html"
    choices: QuerySet[Template]

    class Media:
        css = {"all": ["portal/editors.css"]}
        js = [forms.Script("portal/templates.js", type="module")]

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["known"] = [
            {
                "id": str(row["id"]),
                "name": row["name"],
                "backend": row["backend"],
                "organization": str(row["organization"] or ""),
                "required": row["required"],
                "default": row["default"],
            }
            for row in self.choices.order_by("name").values(
                "id", "name", "backend", "organization", "required", "default"
            )
        ]
        return context


class TemplatesField(forms.Field):
    """Ordered list of templates, submitted as a JSON list of ids."""

    widget = TemplatesWidget

    def __init__(self, *, queryset: QuerySet[Template], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.queryset = queryset
        self.widget.choices = queryset

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        return json.dumps([str(getattr(one, "pk", one)) for one in value or []])

    def to_python(self, value: Any) -> list[Template]:
        return chosen(self.queryset, value or "[]")

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            sent = [str(one.pk) for one in self.to_python(data)]
        except forms.ValidationError:
            return True
        return bool(self.prepare_value(initial) != json.dumps(sent))


def chosen(rows: QuerySet[Template], text: str) -> list[Template]:
    """Return the templates with these ids (a JSON list), in this order."""
    try:
        ids = json.loads(text)
        known = {str(pk): row for pk, row in rows.in_bulk(ids).items()}
        return [known[pk] for pk in dict.fromkeys(ids)]
    except (ValueError, TypeError, forms.ValidationError) as error:
        raise forms.ValidationError(gettext("A list of template ids is expected.")) from error
    except KeyError as error:
        raise forms.ValidationError(
            gettext("There is no template %(error)s.") % {"error": error}
        ) from error
