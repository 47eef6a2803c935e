"""The look of the admin, and how its forms call rules. The one place that imports unfold."""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.decorators import action, display

from controller.base.errors import ALL_FIELDS, Refused

__all__ = [
    "RuleAdmin",
    "RuleForm",
    "ScopedAdmin",
    "StackedInline",
    "TabularInline",
    "action",
    "display",
]


HTTP_OK = 200


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form whose saving is the call of a rule, and whose errors may come from it."""

    rule: Callable[..., Model]

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.instance = self.apply_rule()
        except Refused as error:
            self.add_error(None, self.as_form_error(error))

    def apply_rule(self) -> Model:
        if self.instance._state.adding:
            return self.rule(**self.cleaned_data)
        # The form has written its values on the instance already; the rule wants to see the
        # row as it is and what is to change.
        row = self._meta.model._default_manager.get(pk=self.instance.pk)
        return self.rule(row, **{name: self.cleaned_data[name] for name in self.changed_data})

    def as_form_error(self, error: Refused) -> forms.ValidationError:
        named: dict[str, list[str]] = {}
        for field, sentences in error.by_field.items():
            known = field if field in self.fields else ALL_FIELDS
            prefix = "" if field in {known, ALL_FIELDS} else f"{field}: "
            named.setdefault(known, []).extend(f"{prefix}{text}" for text in sentences)
        return forms.ValidationError(named)

    def save(self, commit: bool = True) -> Model:  # noqa: FBT001, FBT002 - Django's signature
        self.save_m2m = lambda: None  # type: ignore[method-assign]
        return cast(Model, self.instance)


class ScopedAdmin(ModelAdmin):
    """Shows the rows of the user's organizations, and permits what their role permits."""

    resource: str
    compressed_fields = True
    warn_unsaved_form = True
    list_filter_submit = True
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).visible_to(request.user)
        return rows

    def _may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        user: Any = request.user
        permission = f"{self.resource}:{verb}"
        if not user.is_authenticated:
            return False
        if obj is None or obj._state.adding:
            return bool(user.may_somewhere(permission))
        return bool(user.may(permission, obj.owner_id))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "read")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "read", obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "create")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "update", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "delete", obj)

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        manager = db_field.remote_field.model._default_manager
        if "queryset" not in kwargs and hasattr(manager.all(), "visible_to"):
            kwargs["queryset"] = manager.all().visible_to(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class RuleAdmin(ScopedAdmin):
    """An admin whose writes are rules: ``create_rule``, ``update_rule`` and ``delete_rule``."""

    form = RuleForm
    create_rule: Callable[..., Model]
    update_rule: Callable[..., Model]
    delete_rule: Callable[..., None]

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        rule = type(self).create_rule if obj is None else type(self).update_rule
        return type(form.__name__, (form,), {"rule": staticmethod(rule)})

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            response: HttpResponse = super().changeform_view(request, *args, **kwargs)
            if request.method == "POST" and response.status_code == HTTP_OK:
                # Shown again, because another part of the page has an error: nothing is done.
                transaction.set_rollback(True)
        return response

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """The form has called the rule already."""

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        type(self).delete_rule(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            type(self).delete_rule(obj)

    def delete_view(self, request: HttpRequest, object_id: str, *args: Any, **kw: Any) -> Any:
        try:
            with transaction.atomic():
                return super().delete_view(request, object_id, *args, **kw)
        except Refused as error:
            self.message_user(request, str(error), messages.ERROR)
            return redirect(admin_url(self.model, "change", object_id))


def admin_url(model: type[Model], page: str, *args: object) -> str:
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=args)
