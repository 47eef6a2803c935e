"""Inlines whose writes call rules."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.db import models
from django.http import HttpRequest

from controller.base.admin.permissions import Permissions
from controller.base.admin.rule_admin import rule_attributes, with_actor
from controller.base.admin.unfold import (
    PaginationInlineFormSet,
    StackedInline,
    TabularInline,
    UnfoldAdminTextareaWidget,
)
from controller.base.forms import RuleForm


class RuleFormSet(PaginationInlineFormSet):
    delete_rule: Callable[..., None]

    def add_fields(self, form: Any, index: Any) -> None:
        """Name each field: in a table, only the head of its column shows a label.

        The boxes of a list of choices have labels of their own.
        """
        super().add_fields(form, index)
        for name, field in form.fields.items():
            # Links to add or change the related row are around the widget itself.
            widget = getattr(field.widget, "widget", field.widget)
            if isinstance(widget, forms.RadioSelect):
                continue
            widget.attrs.setdefault("aria-label", str(field.label or name))

    def delete_existing(self, obj: Any, commit: bool = True) -> None:  # noqa: FBT001, FBT002 - Django's signature
        if commit:
            type(self).delete_rule(obj)


class RuleInline(Permissions):
    """Inline of related rows, written by rules as in :class:`RuleAdmin`."""

    form = RuleForm
    formset = RuleFormSet
    extra = 0
    create_rule: Callable[..., Any]
    update_rule: Callable[..., Any]
    delete_rule: Callable[..., None]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "create", obj)

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)  # type: ignore[misc]
        if remove := getattr(type(self), "delete_rule", None):
            formset.delete_rule = staticmethod(with_actor(remove, request.user))
        update, create = (
            with_actor(rule, request.user) if rule else None
            for rule in (
                getattr(type(self), name, None) for name in ("update_rule", "create_rule")
            )
        )

        def rule(*args: Any, **values: Any) -> Any:
            return update(*args, **values) if args and update else create(**values)  # type: ignore[misc]

        formset.form = type(
            formset.form.__name__,
            (formset.form,),
            rule_attributes(self, request, "update") | {"rule": staticmethod(rule)},
        )
        return formset


class RuleStackedInline(RuleInline, StackedInline):
    formfield_overrides = StackedInline.formfield_overrides | {
        models.TextField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 3})},
    }


class RuleTabularInline(RuleInline, TabularInline):
    hide_title = True
