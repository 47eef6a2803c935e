"""Import and export of tables on list pages: upload, preview, progress."""

from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from import_export.admin import ExportMixin

from controller.accounts.models import TableImport, User
from controller.accounts.rules import table_imports as rules
from controller.base.admin import ExportForm, UnfoldAdminFileFieldWidget
from controller.base.errors import Refused
from controller.base.import_export import RESOURCES, RuleResource
from controller.base.tables import MOST_BYTES, MOST_ROWS, SpreadsheetCSV, SpreadsheetXLSX

LABELS = {"new": "new", "update": "changed", "skip": "unchanged", "refused": "refused"}
TONES = {"new": "good", "update": "busy", "skip": "mute", "refused": "bad"}
LATEST = 5


class UploadForm(forms.Form):
    import_file = forms.FileField(
        label=_("File"),
        widget=UnfoldAdminFileFieldWidget,
        help_text=format_lazy(
            _("CSV or XLSX, at most {rows} rows and {size} MiB."),
            rows=MOST_ROWS,
            size=MOST_BYTES >> 20,
        ),
    )


class ImportExportAdmin(ExportMixin):
    """Admin with Import and Export on the list page, as listed in ``resource_classes``."""

    import_export_change_list_template = "admin/import_export/change_list_import_export.html"
    export_form_class = ExportForm
    formats: ClassVar[list[Any]] = [SpreadsheetCSV, SpreadsheetXLSX]
    resource_classes: ClassVar[list[type[RuleResource]]]
    # Each row is recorded in the audit log.
    skip_admin_log = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        RESOURCES[self.target] = self.resource_classes[0]

    @property
    def target(self) -> str:
        label: str = self.model._meta.label_lower
        return label

    # --- export

    def get_resource_kwargs(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return {"user": request.user}

    def has_import_permission(self, request: HttpRequest) -> bool:
        return bool(self.may(request, "create"))

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.may(request, "read"))

    def get_valid_export_item_pks(self, request: HttpRequest) -> Any:
        return self.get_queryset(request).values_list("pk", flat=True)

    def get_export_queryset(self, request: HttpRequest) -> Any:
        """Return the filtered list, all pages, with the related rows its columns need."""
        resource: Any = self.get_export_resource_classes(request)[0]
        return super().get_export_queryset(request).select_related(*resource.related)

    # --- import

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        shown = {"has_import_permission": self.has_import_permission(request)}
        return super().changelist_view(request, (extra_context or {}) | shown)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        name = "{}_{}_import".format(*self.get_model_info())
        return [
            path("import/", view(self.import_action), name=name),
            path("import/<uuid:pk>/", view(self.import_page), name=f"{name}_page"),
            path("import/<uuid:pk>/progress/", view(self.import_part), name=f"{name}_part"),
            path(
                "import/<uuid:pk>/<slug:verb>/", view(require_POST(self.import_do)),
                name=f"{name}_do",
            ),
            *super().get_urls(),
        ]  # fmt: skip

    def import_user(self, request: HttpRequest) -> User:
        if not self.has_import_permission(request):
            raise PermissionDenied
        assert isinstance(request.user, User)  # noqa: S101 - the admin's pages are for users
        return request.user

    def import_row(self, request: HttpRequest, pk: UUID) -> TableImport:
        """Return an import of the user's own; raise Http404 for those of others."""
        rows = TableImport.objects.filter(user=self.import_user(request), target=self.target)
        row = rows.defer("data").filter(pk=pk).first()
        if row is None:
            raise Http404
        return row

    def import_url(self, row: TableImport, page: str = "page", **more: str) -> str:
        name = "{}_{}_import".format(*self.get_model_info())
        return reverse(f"admin:{name}_{page}", kwargs={"pk": row.pk, **more})

    def import_action(self, request: HttpRequest) -> HttpResponse:
        user = self.import_user(request)
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            file = form.cleaned_data["import_file"]
            try:
                row = rules.start(user, target=self.target, name=file.name, data=file.read())
                return HttpResponseRedirect(self.import_url(row))
            except Refused as error:
                form.add_error("import_file", str(error))
        own = TableImport.objects.filter(user=user, target=self.target).defer("data", "found")
        context = self.admin_site.each_context(request) | {
            "title": gettext("Import %(verbose_name_plural)s")
            % {"verbose_name_plural": self.model._meta.verbose_name_plural},
            "opts": self.model._meta,
            "form": form,
            "columns": self.resource_classes[0](user=user).columns,
            "latest": [{"row": row, "link": self.import_url(row)} for row in own[:LATEST]],
        }
        return TemplateResponse(request, "portal/table_upload.html", context)

    def import_page(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        row = self.import_row(request, pk)
        context = self.admin_site.each_context(request) | self.import_context(row)
        context |= {"title": row.name, "opts": self.model._meta}
        return TemplateResponse(request, "portal/table_import.html", context)

    def import_part(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Render the part of the page that changes while the worker is at it."""
        row = self.import_row(request, pk)
        return render(request, "portal/table_import_part.html", self.import_context(row))

    def import_context(self, row: TableImport) -> dict[str, Any]:
        counts = row.found.get("counts", {})
        info = self.get_model_info()
        return {
            "row": row,
            "waits": row.state in {TableImport.State.READING, TableImport.State.WRITING},
            "counts": [(LABELS[name], counts[name], TONES[name]) for name in LABELS if name in counts],
            "more": sum(counts.values()) - len(row.found.get("rows", [])) - counts.get("refused", 0),
            "more_refused": counts.get("refused", 0) - len(row.found.get("refused", [])),
            "labels": LABELS,
            "part": self.import_url(row, "part"),
            "confirm": self.import_url(row, "do", verb="confirm"),
            "discard": self.import_url(row, "do", verb="discard"),
            "upload": reverse("admin:{}_{}_import".format(*info)),
            "list": reverse("admin:{}_{}_changelist".format(*info)),
        }  # fmt: skip

    def import_do(self, request: HttpRequest, pk: UUID, verb: str) -> HttpResponse:
        row = self.import_row(request, pk)
        try:
            if verb == "confirm":
                rules.confirm(row)
                return HttpResponseRedirect(self.import_url(row))
            if verb != "discard":
                raise Http404
            rules.discard(row)
        except Refused as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(self.import_url(row))
        return HttpResponseRedirect(
            reverse("admin:{}_{}_import".format(*self.get_model_info()))
        )
