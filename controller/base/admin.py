"""Admin base classes whose writes call rules. The only module that imports unfold."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from inspect import signature
from operator import attrgetter
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import site
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.contrib.filters.admin.choice_filters import ChoicesCheckboxFilter
from unfold.contrib.filters.admin.dropdown_filters import (
    ChoicesDropdownFilter,
    DropdownFilter,
    RelatedDropdownFilter,
)
from unfold.contrib.import_export.forms import ExportForm, ImportForm
from unfold.dataclasses import SearchResult
from unfold.decorators import action, display
from unfold.forms import (
    AdminPasswordChangeForm,
    AuthenticationForm,
    PaginationInlineFormSet,
    UserChangeForm,
    UserCreationForm,
)
from unfold.templatetags.unfold_list import result_headers
from unfold.utils import display_for_field, display_for_header, display_for_value
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from controller.base.changelist import FastChangeList, LateJoinPaginator
from controller.base.errors import Refused
from controller.base.forms import (
    RuleForm,
    VariablesWidget,
    form_errors,
    hide_secrets,
    only_organization,
    shows_form_again,
)

__all__ = [
    "AdminPasswordChangeForm",
    "AuthenticationForm",
    "ChoicesCheckboxFilter",
    "ChoicesDropdownFilter",
    "DropdownFilter",
    "ExportForm",
    "ImportForm",
    "LateJoinPaginator",
    "ModelAdmin",
    "RelatedDropdownFilter",
    "RuleAdmin",
    "RuleForm",
    "RuleStackedInline",
    "RuleTabularInline",
    "ScopedAdmin",
    "ScopedRelatedFilter",
    "SecretWidget",
    "UnfoldAdminFileFieldWidget",
    "UnfoldAdminPasswordWidget",
    "UnfoldAdminSelectWidget",
    "UnfoldAdminTextInputWidget",
    "UnfoldAdminTextareaWidget",
    "UserChangeForm",
    "UserCreationForm",
    "action",
    "admin_url",
    "badge",
    "display",
    "rule_attributes",
    "stacked_bar",
]

MOST_FOUND = 8


def admin_url(model: type[Model], page: str, *args: object) -> str:
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=args)


def search_results(request: HttpRequest, term: str) -> list[SearchResult]:
    """Return matches of every admin class with a ``search_rank`` that the user may view."""
    admins = [one for one in site._registry.values() if isinstance(one, ScopedAdmin)]
    results = []
    for model_admin in sorted(admins, key=attrgetter("search_rank")):
        if not (model_admin.search_rank and model_admin.has_view_permission(request)):
            continue
        rows = model_admin.get_queryset(request)
        rows, _ = model_admin.get_search_results(request, rows, term)
        results += [
            SearchResult(
                title=str(row),
                description=str(row._meta.verbose_name).capitalize(),
                link=admin_url(type(row), "change", row.pk),
                icon=model_admin.search_icon,
            )
            for row in rows[:MOST_FOUND]
        ]
    return results


def badge(text: str, tone: str, title: str = "") -> str:
    """Return a status badge; `tone` is ``good``, ``bad``, ``warn``, ``busy`` or ``mute``."""
    return format_html('<span class="badge badge-{}" title="{}">{}</span>', tone, title, text)


def stacked_bar(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Build a stacked bar: add each part's share in percent, drop empty parts."""
    total = sum(part["count"] for part in parts)
    for part in parts:
        part["share"] = round(100 * part["count"] / total, 2) if total else 0
    return {"total": total, "parts": [part for part in parts if part["count"]]}


class Permissions:
    """Admin permissions derived from the user's role in the row's organization."""

    resource: str
    model: Any
    admin_site: Any

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        user: Any = request.user
        permission = f"{self.resource}:{verb}"
        if not user.is_authenticated:
            return False
        if obj is None or obj._state.adding:
            return bool(user.has_perm_anywhere(permission))
        return bool(user.has_perm_on(permission, obj))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "read")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "read", obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "create", obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "update", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "delete", obj)

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        rows = db_field.remote_field.model._default_manager.all()
        if "queryset" not in kwargs and hasattr(rows, "visible_to"):
            kwargs["queryset"] = rows.visible_to(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]


class ScopedRelatedFilter(RelatedDropdownFilter):
    """Filter that offers only the related rows visible to the user."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        visible = field.remote_field.model._default_manager.visible_to(request.user)
        return field.get_choices(include_blank=False, limit_choices_to={"pk__in": visible})


class RowList(FastChangeList):
    show_field = staticmethod(display_for_field)
    show_value = staticmethod(display_for_value)
    show_header = staticmethod(display_for_header)
    made_headers = staticmethod(result_headers)


class ScopedAdmin(Permissions, ModelAdmin):
    """Admin of organization rows: shows visible rows, permits what the role permits."""

    compressed_fields = True
    warn_unsaved_form = True
    list_filter_submit = True
    list_per_page = 50
    show_full_result_count = False
    formfield_overrides = {
        models.JSONField: {"widget": VariablesWidget},
        models.TextField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 3})},
    }

    empty_hint = ""  # Text of an empty list.
    # Position of this model's matches in the global search; 0 leaves the model out.
    search_rank = 0
    search_icon = ""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RowList]:
        return RowList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).visible_to(request.user)
        return rows

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "create")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Preselect the organization if only one can be chosen."""
        only = only_organization(self.opts, request.user)
        return only | super().get_changeform_initial_data(request)

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> Any:
        main = context["adminform"].form
        formsets = [inline.formset for inline in context.get("inline_admin_formsets", ())]
        for form in [main, *(form for formset in formsets for form in formset.forms)]:
            hide_secrets(form, request.user)
        if context.get("original") is not None and context.get("title") in {
            f"{verb} {self.opts.verbose_name}" for verb in ("Change", "View")
        }:
            context["title"] = capfirst(str(self.opts.verbose_name))
        if context.get("errors"):
            context["form_errors"] = form_errors(main, formsets)
        return super().render_change_form(request, context, *args, **kwargs)

    def row_for(self, request: HttpRequest, object_id: str, verb: str) -> Any:
        """Return the row of a view's URL; raise 404 if not visible, 403 if not permitted."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if not self.may(request, verb, row):
            raise PermissionDenied
        return row


class RuleAdmin(ScopedAdmin):
    """Admin that writes through ``create_rule``, ``update_rule`` and ``delete_rule``."""

    form = RuleForm
    create_rule: Callable[..., Any]
    update_rule: Callable[..., Any]
    delete_rule: Callable[..., None]

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        verb = "create" if obj is None else "update"
        return type(form.__name__, (form,), rule_attributes(self, request, verb))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            # Outside a transaction: on SQLite even a read in a transaction would wait for
            # writers.
            shown: HttpResponse = super().changeform_view(request, *args, **kwargs)
            return shown
        try:
            with transaction.atomic():
                response: HttpResponse = super().changeform_view(request, *args, **kwargs)
                if shows_form_again(response):
                    transaction.set_rollback(True)
        except Refused as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return response

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Run the extra submit buttons; the form has already called the rule."""
        for button in self.get_actions_submit_line(request, obj.pk):
            if button.action_name in request.POST:
                button.method(request, obj)

    def get_deleted_objects(self, objs: Iterable[Any], request: HttpRequest) -> Any:
        """Return the rows and :meth:`deletion_effects`; cascading is decided by the rule."""
        rows = list(objs)
        lines: list[Any] = []
        for row in rows:
            lines += [str(row), *([effects] if (effects := self.deletion_effects(row)) else [])]
        name = self.opts.verbose_name
        refused = {name} if not all(self.may(request, "delete", row) for row in rows) else set()
        return lines, {self.opts.verbose_name_plural: len(rows)}, refused, []

    def deletion_effects(self, obj: Any) -> Sequence[str]:
        """Return sentences describing what else is deleted or changed with this row."""
        return ()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with_actor(type(self).delete_rule, request.user)(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            self.delete_model(request, obj)

    def delete_view(self, request: HttpRequest, object_id: str, *args: Any, **kw: Any) -> Any:
        try:
            with transaction.atomic():
                return super().delete_view(request, object_id, *args, **kw)
        except Refused as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(admin_url(self.model, "change", object_id))

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method != "POST":
            return super().changelist_view(request, *args, **kwargs)
        try:
            with transaction.atomic():
                return super().changelist_view(request, *args, **kwargs)
        except Refused as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


def with_actor(rule: Callable[..., Any], user: Any) -> Callable[..., Any]:
    """Return the rule with ``by`` bound to this user, if it asks who calls it."""
    return partial(rule, by=user) if "by" in signature(rule).parameters else rule


def rule_attributes(admin: Any, request: HttpRequest, verb: str) -> dict[str, Any]:
    """Return the attributes that bind a form class to an admin and its user."""
    user: Any = request.user
    permission = f"{admin.resource}:{verb}"
    rule = getattr(type(admin), f"{verb}_rule", None)
    return {
        "rule": staticmethod(with_actor(rule, user)) if rule else None,
        "may_in": staticmethod(lambda owner_id: user.has_perm_in(permission, owner_id)),
        "user": user,
    }


class RuleFormSet(PaginationInlineFormSet):
    delete_rule: Callable[..., None]

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


class SecretWidget(UnfoldAdminTextInputWidget):
    """Input that hides its value until revealed; only for users who may read it."""

    class Media:
        js = [forms.Script("portal/secrets.js", type="module")]

    def __init__(self) -> None:
        super().__init__(
            attrs={"data-secret": "", "autocomplete": "off", "spellcheck": "false"}
        )
