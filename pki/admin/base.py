"""Base of the admin pages of CAs and certificates."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.text import get_valid_filename
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import (
    DropdownFilter,
    RuleAdmin,
    RuleForm,
    admin_url,
    badge,
    display,
    local_time,
)
from controller.base.derived_names import register_titles
from controller.base.errors import Refused
from pki.admin.forms import Pkcs12Form
from pki.engine.bundles import pkcs12_bundle
from pki.engine.errors import Rejected
from pki.engine.importing import read_certificates
from pki.engine.summary import Line, phrases
from pki.models import Ca, Cert
from pki.rules.expiry import NOTICES

register_titles(phrases)


PEM_FILE = "application/x-pem-file"
SOON, LATER = NOTICES[1].days, NOTICES[2].days
# Not needed in lists, and slow to decrypt.
SECRET_COLUMNS = ("private_key", "passphrase", "certificate")


def expiry_badge(row: Ca | Cert) -> str:
    ends = gettext("Ends on %(localtime)s") % {"localtime": local_time(row.validity_end)}
    if row.revoked:
        return badge(gettext("Revoked"), "bad", row.get_revocation_reason_display())
    if row.days_left < 0:
        return badge(gettext("Expired"), "bad", ends)
    if row.days_left <= LATER:
        days = "today" if row.days_left == 0 else f"in {row.days_left} d"
        return badge(
            gettext("Ends %(days)s") % {"days": days},
            "bad" if row.days_left <= SOON else "warn",
            ends,
        )
    return badge(
        gettext("Until %(validity_end)s") % {"validity_end": local_time(row.validity_end)},
        "good",
        ends,
    )


class ExpiryFilter(DropdownFilter):
    title = _("when it ends")
    parameter_name = "ends"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        spans = [
            (str(span.days), gettext("Within %(days)s d") % {"days": span.days})
            for span in NOTICES
        ]
        return [*spans, ("ended", gettext("Has ended")), ("revoked", gettext("Is revoked"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value, now = self.value(), timezone.now()
        if value == "ended":
            return queryset.filter(validity_end__lte=now)
        if value == "revoked":
            return queryset.filter(revoked=True)
        spans = {str(span.days): span for span in NOTICES}
        if value in spans:
            return queryset.filter(
                revoked=False, validity_end__gt=now, validity_end__lte=now + spans[value]
            )
        return queryset


class CertifiedAdmin(RuleAdmin):
    """Admin of CAs and certificates.

    After creation only unsigned fields can be changed.
    """

    add_form: type[RuleForm]
    change_form_template = "admin/pki/change_form.html"
    search_fields = ["name", "common_name", "serial_number"]
    ordering = ["-created"]

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = self.add_form
        return super().get_form(request, obj, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        match = request.resolver_match
        if match and (match.url_name or "").endswith("_changelist"):
            rows = rows.defer(*SECRET_COLUMNS)
        return rows

    @display(description=_("Validity"), ordering="validity_end")
    def validity(self, obj: Ca | Cert) -> str:
        return expiry_badge(obj)

    @display(description=_("Organization"), ordering="organization__name")
    def owner(self, obj: Ca | Cert) -> str:
        return str(obj.organization) if obj.organization else badge(gettext("Shared"), "busy")

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        row = kw.get("obj")
        if row is not None:
            context |= self.page_of(request, row)
        return super().render_change_form(request, context, *args, **kw)

    def page_of(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {
            "row": row,
            "summary": [translated(line) for line in row.summary],
            "badge": expiry_badge(row),
            "reads_key": bool(row.private_key) and self.may(request, "secret", row),
            "downloads": f"admin:pki_{self.opts.model_name}",
        }

    # --- downloads and confirmations

    def get_urls(self) -> list[Any]:
        view, name = self.admin_site.admin_view, f"pki_{self.opts.model_name}"
        return [
            path("<int:pk>/pem/", view(self.pem), name=f"{name}_pem"),
            path("<int:pk>/chain/", view(self.chain), name=f"{name}_chain"),
            path("<int:pk>/key/", view(self.key), name=f"{name}_key"),
            path("<int:pk>/pkcs12/", view(self.pkcs12), name=f"{name}_pkcs12"),
            *super().get_urls(),
        ]

    def pem(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self.row_for(request, str(pk), "read")
        return download(row.certificate, PEM_FILE, f"{row.name}.pem")

    def chain(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self.row_for(request, str(pk), "read")
        return download(row.bundle, PEM_FILE, f"{row.name}-chain.pem")

    def key(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self.keyed_row(request, pk)
        return download(row.private_key, PEM_FILE, f"{row.name}.key")

    def pkcs12(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self.keyed_row(request, pk)
        form = Pkcs12Form(posted(request))
        if not form.is_valid():
            return self.ask(
                request,
                row,
                form,
                title=gettext("Download as PKCS#12"),
                button=gettext("Download"),
            )
        own, *issuers = read_certificates(row.bundle)
        try:
            data = pkcs12_bundle(
                row.name, row.key, own, issuers, form.cleaned_data["passphrase"]
            )
        except Rejected as rejected:
            form.add_error("passphrase", rejected.errors["passphrase"])
            return self.ask(
                request,
                row,
                form,
                title=gettext("Download as PKCS#12"),
                button=gettext("Download"),
            )
        return download(data, "application/x-pkcs12", f"{row.name}.p12")

    def keyed_row(self, request: HttpRequest, pk: int) -> Any:
        row = self.row_for(request, str(pk), "secret")
        if not row.private_key:
            raise Http404
        return row

    def ask(
        self,
        request: HttpRequest,
        row: Any,
        form: forms.Form,
        *,
        title: str,
        button: str,
        told: str = "",
        danger: bool = False,
    ) -> TemplateResponse:
        context = self.admin_site.each_context(request) | {
            "title": title,
            "opts": self.opts,
            "row": row,
            "form": form,
            "button": button,
            "told": told,
            "danger": danger,
            "back": admin_url(self.model, "change", row.pk),
        }
        return TemplateResponse(request, "admin/pki/ask.html", context)

    def answered(
        self, request: HttpRequest, form: forms.Form, rule: Callable[[], Any], done: str
    ) -> HttpResponse | None:
        """Run the rule and return the response; None if refused, with form errors."""
        if request.method != "POST" or not form.is_valid():
            return None
        try:
            with transaction.atomic():
                row = rule()
        except Refused as refused:
            form.add_error(None, str(refused))
            return None
        self.message_user(request, done)
        return HttpResponseRedirect(admin_url(self.model, "change", row.pk))

    def may_change_signed(self, request: HttpRequest, object_id: Any) -> bool:
        row = self.get_object(request, str(object_id)) if object_id else None
        return row is not None and not row.revoked and self.may(request, "update", row)


def posted(request: HttpRequest) -> Any:
    """Return the data to bind a form to; an empty POST is bound, too."""
    return request.POST if request.method == "POST" else None


def download(content: str | bytes, content_type: str, name: str) -> HttpResponse:
    """Return a file download that is never cached, since it may contain a key."""
    safe = get_valid_filename(name.encode("ascii", "replace").decode().replace("?", "_"))
    headers = {
        "Content-Disposition": f'attachment; filename="{safe}"',
        "Cache-Control": "no-store",
    }
    return HttpResponse(content, content_type=content_type, headers=headers)


def translated(line: Line) -> Line:
    parts = line.text.split("; ")
    return Line(gettext(line.label), "; ".join(gettext(part) for part in parts))
