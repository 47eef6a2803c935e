"""Saved filters: the links above every list, and their own list."""

from functools import cached_property
from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.accounts.admin.list_layouts import save_list_layout
from controller.accounts.models import Organization, SavedFilter, User
from controller.accounts.rules import saved_filters as rules
from controller.base.admin import RuleAdmin, admin_url, badge, display
from controller.base.errors import Refused

MOST_OFFERED = 200


class Saved:
    """Saved filters of the current list; queried only if the page shows them."""

    def __init__(self, request: HttpRequest, user: User) -> None:
        self.request, self.user = request, user
        self.query = rules.canonical(request.META.get("QUERY_STRING", ""))

    @cached_property
    def page(self) -> str:
        match = self.request.resolver_match
        name = (match.url_name if match else None) or ""
        app, _, model = name.removesuffix("_changelist").rpartition("_")
        return f"{app}.{model}"

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        found = (
            SavedFilter.objects.visible_to(self.user)
            .filter(page=self.page)
            .select_related("organization", "user")
        )
        return [
            {
                "row": row,
                "is_open": row.query == self.query,
                "removes": rules.may_delete(self.user, row),
            }
            for row in found
        ]

    @property
    def is_new(self) -> bool:
        return bool(self.query) and not any(one["is_open"] for one in self.rows)

    def organizations(self) -> Any:
        return shareable(self.user)[:MOST_OFFERED]


def saved_filters(request: HttpRequest) -> dict[str, Any]:
    """Add the saved filters to the template context (a context processor)."""
    user = getattr(request, "user", None)
    return {"saved_filters": Saved(request, user)} if isinstance(user, User) else {}


def shareable(user: User) -> Any:
    """Return organizations with which this user may share a filter."""
    if not user.has_perm_anywhere(rules.SHARE):
        return Organization.objects.none()
    mine = Organization.objects.visible_to(user)
    if user.is_superuser:
        return mine
    return mine.filter(
        pk__in=[pk for pk in user.access_by_organization if user.has_perm_in(rules.SHARE, pk)]
    )


class SaveForm(forms.Form):
    page = forms.CharField(max_length=100)
    query = forms.CharField(max_length=2000, required=False)
    name = forms.CharField(max_length=60)
    organization = forms.ModelChoiceField(Organization.objects.none(), required=False)

    def __init__(self, data: Any, user: User) -> None:
        super().__init__(data)
        self.fields["organization"].queryset = shareable(user)  # type: ignore[attr-defined]


def list_of(page: str) -> Any:
    """Return the admin class of this page; raise 404 if unknown."""
    try:
        return admin.site._registry[apps.get_model(page)]
    except (LookupError, ValueError, KeyError) as error:
        raise Http404 from error


@admin.register(SavedFilter)
class SavedFilterAdmin(RuleAdmin):
    empty_hint = _(
        "Filter, search or sort any list, and save the result under a name above it."
    )
    resource = "filter"
    delete_rule = rules.delete_filter
    list_display = ["opens", "of_list", "shared", "user", "created"]
    list_display_links = None
    list_select_related = ["organization", "user"]
    search_fields = ["name"]

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        user: Any = request.user
        if verb not in {"read", "delete"} or not user.is_authenticated:
            return False
        return verb == "read" or obj is None or rules.may_delete(user, obj)

    @display(description=_("Name"), ordering="name")
    def opens(self, obj: SavedFilter) -> str:
        shown = list_of(obj.page)
        link = f"{admin_url(shown.model, 'changelist')}?{obj.query}"
        return format_html('<a class="two-lines" href="{}">{}</a>', link, obj.name)

    @display(description=_("List"), ordering="page")
    def of_list(self, obj: SavedFilter) -> str:
        return str(list_of(obj.page).opts.verbose_name_plural).capitalize()

    @display(description=_("Shared with"), ordering="organization__name")
    def shared(self, obj: SavedFilter) -> str:
        return str(obj.organization) if obj.organization else badge(gettext("Nobody"), "mute")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("save/", view(require_POST(self.save)), name="save_filter"),
            path("layout/", view(self.save_layout), name="save_list_layout"),
            path("<uuid:pk>/drop/", view(require_POST(self.drop)), name="drop_filter"),
            *super().get_urls(),
        ]

    def save_layout(self, request: HttpRequest) -> HttpResponse:
        shown = list_of(request.POST.get("page", "")) if request.method == "POST" else self
        return save_list_layout(request, shown)

    def save(self, request: HttpRequest) -> HttpResponse:
        user: Any = request.user
        form = SaveForm(request.POST, user)
        shown = list_of(request.POST.get("page", ""))
        if not shown.has_view_permission(request):
            raise PermissionDenied
        query = rules.canonical(request.POST.get("query", ""))
        if form.is_valid():
            try:
                row = rules.save_filter(user, **form.cleaned_data)
                self.message_user(
                    request,
                    gettext("“%(row)s” is saved: it stands above this list.") % {"row": row},
                )
            except Refused as error:
                self.message_user(request, str(error), messages.ERROR)
        else:
            said = [str(text) for errors in form.errors.values() for text in errors]
            self.message_user(request, " ".join(said), messages.ERROR)
        back = admin_url(shown.model, "changelist")
        return HttpResponseRedirect(f"{back}?{query}".rstrip("?"))

    def drop(self, request: HttpRequest, pk: Any) -> HttpResponse:
        row = self.row_for(request, str(pk), "delete")
        rules.delete_filter(row)
        self.message_user(
            request, gettext("“%(row)s” is deleted; the list is as it was.") % {"row": row}
        )
        back = admin_url(list_of(row.page).model, "changelist")
        return HttpResponseRedirect(f"{back}?{row.query}")
