"""Admin classes of rows that belong to organizations."""

from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext

from controller.base.admin import (
    list_export,
    theme_texts,  # noqa: F401 - registers texts for translation
)
from controller.base.admin.permissions import Permissions
from controller.base.admin.unfold import (
    ModelAdmin,
    UnfoldAdminTextareaWidget,
    display_for_field,
    display_for_header,
    display_for_value,
    result_headers,
)
from controller.base.changelist import FastChangeList
from controller.base.forms import VariablesWidget, form_errors, hide_secrets, only_choices


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

    empty_hint: str | Promise = ""  # Text of an empty list.
    # Position of this model's matches in the global search; 0 leaves the model out.
    search_rank = 0
    search_icon = ""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RowList]:
        return RowList

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method == "GET" and list_export.PARAMETER in request.GET:
            if not self.has_view_or_change_permission(request):
                raise PermissionDenied
            return list_export.as_csv(self, request)
        return super().changelist_view(request, *args, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).visible_to(request.user)
        return rows

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "create")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Preselect the organization if only one can be chosen."""
        only = only_choices(self.opts, request.user)
        return only | super().get_changeform_initial_data(request)

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> Any:
        main = context["adminform"].form
        formsets = [inline.formset for inline in context.get("inline_admin_formsets", ())]
        for form in [main, *(form for formset in formsets for form in formset.forms)]:
            hide_secrets(form, request.user)
        if context.get("original") is not None and context.get("title") in {
            gettext(title) % self.opts.verbose_name for title in ("Change %s", "View %s")
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


class RecordAdmin(ScopedAdmin):
    """Admin of records that nobody adds, changes or deletes by hand."""

    warn_unsaved_form = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
