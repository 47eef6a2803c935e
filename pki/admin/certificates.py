from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import ScopedRelatedFilter, action, display
from pki import rules
from pki.admin.base import CertifiedAdmin, ExpiryFilter, posted
from pki.admin.forms import CertForm, RenewForm, RevokeForm
from pki.engine.keys import describe
from pki.models import Cert


@admin.register(Cert)
class CertAdmin(CertifiedAdmin):
    empty_hint = _(
        "Certificates are created here, by VPN templates, and by devices over ACME and EST. Create a certificate authority first."
    )
    search_rank = 18
    search_icon = "verified_user"
    resource = "cert"
    add_form = CertForm
    create_rule = rules.add_cert
    update_rule = rules.update_cert
    delete_rule = rules.delete_cert
    list_display = ["name", "owner", "ca", "key_kind", "renewal", "validity"]
    list_filter = [
        ExpiryFilter, ("organization", ScopedRelatedFilter), ("ca", ScopedRelatedFilter),
        "auto_renew",
    ]  # fmt: skip
    list_select_related = ["organization", "ca"]
    actions_detail = ["renew", "revoke"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return [(None, {"fields": [("name", "organization"), "notes", "auto_renew"]})]
        return [
            (None, {"fields": [("name", "organization"), "ca", "notes", "auto_renew"]}),
            (
                gettext("New certificate"),
                {"fields": ["common_name", "purpose", "names", ("key_length", "digest"),
                            "validity_end", "more_extensions"]},
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
                gettext("Or import a certificate of the CA"),
                {"fields": ["certificate", "private_key", "passphrase"], "classes": ["collapse"]},
            ),
        ]  # fmt: skip

    @display(description=_("Key"), ordering="key_length")
    def key_kind(self, obj: Cert) -> str:
        return describe(obj.key_length)

    @display(description=_("Renewal"), ordering="auto_renew")
    def renewal(self, obj: Cert) -> str:
        return gettext("by itself") if obj.auto_renew else gettext("by hand")

    def deletion_effects(self, obj: Cert) -> list[str]:
        return (
            []
            if obj.revoked
            else [gettext("It is revoked: whoever has it can no longer use it.")]
        )

    def has_renew_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.may_change_signed(request, object_id)

    @action(description=_("Renew"), icon="autorenew", permissions=["renew"])
    def renew(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.row_for(request, object_id, "update")
        form = RenewForm(posted(request))
        keep = request.POST.get("keep_key") == "on"
        done = self.answered(
            request,
            form,
            lambda: rules.renew(row, keep_key=keep),
            gettext("%(row)s has a new certificate.") % {"row": row},
        )
        told = gettext(
            "It gets a new certificate, valid as long again. The old one stays good till its end."
        )
        return done or self.ask(
            request,
            row,
            form,
            title=gettext("Renew %(row)s") % {"row": row},
            button=gettext("Renew"),
            told=told,
        )

    @action(description=_("Revoke"), icon="block", permissions=["renew"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.row_for(request, object_id, "update")
        form = RevokeForm(posted(request))
        done = self.answered(
            request, form, lambda: rules.revoke(row, reason=form.cleaned_data["reason"]),
            gettext("%(row)s is revoked.") % {"row": row},
        )  # fmt: skip
        told = gettext("Nobody can use it any more, and this cannot be taken back.")
        return done or self.ask(
            request,
            row,
            form,
            title=gettext("Revoke %(row)s") % {"row": row},
            button=gettext("Revoke"),
            told=told,
            danger=True,
        )
