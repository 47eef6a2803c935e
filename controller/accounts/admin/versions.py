"""Admin pages that list, compare and restore versions of a row."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.engine.diff import Change
from controller.accounts.engine.scopes import NO_SITE
from controller.accounts.models import Version
from controller.base.admin import action, admin_url, badge
from controller.base.changelist import relative_time
from controller.base.errors import Refused
from controller.configs.rules import versions as rules

SHOWN = 200
TONES = {
    Version.Verb.CREATED: "good",
    Version.Verb.CHANGED: "busy",
    Version.Verb.RESTORED: "warn",
    Version.Verb.DELETED: "bad",
}


class Versioned:
    """Mixin for admins of versioned rows; ``resource`` is their kind.

    The buttons are ``show_versions`` on a row's page and ``show_deleted`` on the list.
    """

    resource: str
    admin_site: Any
    opts: Any
    model: Any
    may: Any
    row_for: Any
    message_user: Any

    def get_urls(self) -> list[Any]:
        view, name = self.admin_site.admin_view, f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path("deleted/", view(self.deleted), name=f"{name}_deleted"),
            path("<uuid:pk>/versions/", view(self.versions), name=f"{name}_versions"),
            path(
                "<uuid:pk>/versions/<int:number>/", view(self.version), name=f"{name}_version"
            ),
            *super().get_urls(),  # type: ignore[misc]
        ]

    @action(description=_("Versions"), icon="history")
    def show_versions(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(admin_url(self.model, "versions", object_id))

    @action(description=_("Deleted"), icon="restore_from_trash")
    def show_deleted(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(admin_url(self.model, "deleted"))

    def mine(self, request: HttpRequest) -> QuerySet[Version]:
        rows: Any = Version.objects.filter(kind=self.resource)
        return rows.visible_to(request.user, f"{self.resource}:read")

    def versions(self, request: HttpRequest, pk: Any) -> HttpResponse:
        row = self.row_for(request, str(pk), "read")
        rows = self.mine(request).filter(row=pk).defer("values").order_by("-number")
        return self.listed(
            request,
            gettext("Versions of %(row)s") % {"row": row},
            rows,
            admin_url(self.model, "change", pk),
        )

    def deleted(self, request: HttpRequest) -> HttpResponse:
        rows = rules.latest_of_deleted(self.resource) & self.mine(request)
        title = gettext("Deleted %(verbose_name_plural)s") % {
            "verbose_name_plural": self.opts.verbose_name_plural
        }
        return self.listed(request, title, rows, admin_url(self.model, "changelist"))

    def listed(
        self, request: HttpRequest, title: str, rows: QuerySet[Version], back: str
    ) -> HttpResponse:
        shown = [
            {
                "version": one,
                "badge": badge(one.get_verb_display(), TONES[Version.Verb(one.verb)]),
                "ago": relative_time(one.at),
                "changed": ", ".join(one.changed).replace("_", " "),
                "link": admin_url(self.model, "version", one.row, one.number),
            }
            for one in rows[:SHOWN]
        ]
        context = self.page(request, title) | {"rows": shown, "back": back}
        return TemplateResponse(request, "admin/versions.html", context)

    def page(self, request: HttpRequest, title: str) -> dict[str, Any]:
        context: dict[str, Any] = self.admin_site.each_context(request)
        return context | {"title": title, "opts": self.opts}

    def version(self, request: HttpRequest, pk: Any, number: int) -> HttpResponse:
        version = get_object_or_404(self.mine(request), row=pk, number=number)
        row = rules.row_of(version)
        if row is not None and not self.may(request, "read", row):
            raise Http404
        if request.method == "POST":
            return self.restored(request, version, row)
        found = rules.preview_restore(version)
        is_open = rules.may_read_all(request.user, version)
        context = self.page(request, f"{version.name}, version {number}") | {
            "version": version,
            "is_there": row is not None,
            "ago": relative_time(version.at),
            "changes": [
                Change(
                    one.field.replace("_", " "),
                    *(
                        rules.shown_value(
                            rules.named(version.kind, one.field, value),
                            one.field,
                            is_open=is_open,
                        )
                        for value in (one.before, one.after)
                    ),
                )
                for one in found.changes
            ],
            "notes": found.notes,
            "restores": self.may_restore(request, version, row),
            "back": admin_url(self.model, "versions", pk)
            if row is not None
            else admin_url(self.model, "deleted"),
        }
        return TemplateResponse(request, "admin/version.html", context)

    def may_restore(self, request: HttpRequest, version: Version, row: Any) -> bool:
        if row is not None:
            return bool(self.may(request, "update", row))
        user: Any = request.user
        place = version.site_id if self.resource == "device" else NO_SITE
        return bool(user.has_perm_in(f"{self.resource}:create", version.organization_id, place))

    def restored(self, request: HttpRequest, version: Version, row: Any) -> HttpResponse:
        if not self.may_restore(request, version, row):
            raise PermissionDenied
        try:
            row = rules.restore(version)
        except Refused as error:
            self.message_user(request, str(error), "error")
            return HttpResponseRedirect(request.path)
        self.message_user(
            request,
            gettext("%(row)s is what it was in version %(number)s.")
            % {"row": row, "number": version.number},
        )
        return HttpResponseRedirect(admin_url(self.model, "change", row.pk))
