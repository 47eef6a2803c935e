from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import ScopedRelatedFilter, action, display
from pki import rules
from pki.admin.base import CertifiedAdmin, ExpiryFilter, download, expiry_badge, posted
from pki.admin.forms import CaForm, RenewForm, RevokeForm
from pki.engine.keys import describe
from pki.models import Ca, Enrollment

SHOWN_MOST = 20


@admin.register(Ca)
class CaAdmin(CertifiedAdmin):
    empty_hint = _(
        "A certificate authority signs the certificates of devices and VPN servers. Create or import one."
    )
    search_rank = 17
    search_icon = "account_balance"
    resource = "ca"
    add_form = CaForm
    create_rule = rules.add_ca
    update_rule = rules.update_ca
    delete_rule = rules.delete_ca
    list_display = ["name", "owner", "issuer", "key_kind", "live", "validity"]
    list_filter = [ExpiryFilter, ("organization", ScopedRelatedFilter), "enrollment"]
    list_select_related = ["organization", "issuer"]
    actions_detail = ["renew", "revoke"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            fields = [("name", "organization"), "notes", ("auto_renew", "enrollment")]
            return [(None, {"fields": fields})]
        return [
            (None, {"fields": [("name", "organization"), "notes", "auto_renew"]}),
            (
                gettext("New certificate"),
                {"fields": ["common_name", "issuer", ("key_length", "digest"), "validity_end",
                            "more_extensions"]},
            ),
            (
                gettext("Subject"),
                {
                    "fields": [("country_code", "state"), ("city", "email"),
                               ("organization_name", "organizational_unit_name")],
                    "classes": ["collapse"],
                },
            ),
            (
                gettext("Or import a certificate"),
                {"fields": ["certificate", "private_key", "passphrase"], "classes": ["collapse"]},
            ),
        ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        live = Q(certs__revoked=False, certs__validity_end__gt=timezone.now())
        return super().get_queryset(request).annotate(live_count=Count("certs", live))

    @display(description=_("Key"), ordering="key_length")
    def key_kind(self, obj: Ca) -> str:
        return describe(obj.key_length)

    @display(description=_("Live certificates"), ordering="live_count")
    def live(self, obj: Any) -> int:
        return int(obj.live_count)

    def page_of(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        certs = row.certs.visible_to(request.user).defer("private_key", "passphrase")
        base = request.build_absolute_uri("/").rstrip("/")
        return super().page_of(request, row) | {
            "certs": [
                {"row": cert, "badge": expiry_badge(cert),
                 "link": reverse("admin:pki_cert_change", args=[cert.pk])}
                for cert in certs[:SHOWN_MOST]
            ],
            "cert_count": certs.count(),
            "intermediates": [
                {"row": below, "badge": expiry_badge(below),
                 "link": reverse("admin:pki_ca_change", args=[below.pk])}
                for below in row.intermediates.visible_to(request.user)
            ],
            "enrolls": row.enrollment != Enrollment.OFF,
            "acme": f"{base}/pki/acme/{row.pk}/directory",
            "est": f"{base}/.well-known/est/{row.pk}/",
        }  # fmt: skip

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [path("<int:pk>/crl/", view(self.crl), name="pki_ca_crl"), *super().get_urls()]

    def crl(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self.row_for(request, str(pk), "read")
        return download(
            rules.current_list(row).pem, "application/x-pem-file", f"{row.name}.crl"
        )

    def has_renew_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.may_change_signed(request, object_id)

    def has_revoke_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Root CAs cannot be revoked; remove them from the devices instead."""
        row = self.get_object(request, str(object_id)) if object_id else None
        return bool(row and row.issuer_id) and self.may_change_signed(request, object_id)

    @action(description=_("Renew"), icon="autorenew", permissions=["renew"])
    def renew(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.row_for(request, object_id, "update")
        form = RenewForm(posted(request))
        keep = request.POST.get("keep_key") == "on"
        done = self.answered(
            request, form, lambda: rules.renew_ca(row, keep_key=keep),
            gettext("%(row)s has a new certificate.") % {"row": row},
        )  # fmt: skip
        live = row.certs.live().count()
        told = gettext(
            "With a new key, %(live)s certificates are signed again, and whoever trusts "
            "this CA needs its new certificate. With the key kept, both certificates are "
            "good."
        ) % {"live": live}
        return done or self.ask(
            request,
            row,
            form,
            title=gettext("Renew %(row)s") % {"row": row},
            button=gettext("Renew"),
            told=told,
        )

    @action(description=_("Revoke"), icon="block", permissions=["revoke"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.row_for(request, object_id, "update")
        form = RevokeForm(posted(request))
        done = self.answered(
            request, form, lambda: rules.revoke(row, reason=form.cleaned_data["reason"]),
            gettext("%(row)s is revoked.") % {"row": row},
        )  # fmt: skip
        told = gettext(
            "Nothing that it signed is good any more, and this cannot be taken back."
        )
        return done or self.ask(
            request,
            row,
            form,
            title=gettext("Revoke %(row)s") % {"row": row},
            button=gettext("Revoke"),
            told=told,
            danger=True,
        )
