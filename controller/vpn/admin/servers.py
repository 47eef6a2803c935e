"""Admin of VPN servers, their configurations and clients."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.admin.versions import Versioned
from controller.base import masking
from controller.base.admin import (
    OwnTransactions,
    RuleAdmin,
    RuleForm,
    ScopedRelatedFilter,
    SecretWidget,
    admin_url,
    badge,
    display,
    local_time,
)
from controller.base.downloads import archive_response
from controller.base.forms import SchemaWidget
from controller.configs.rules.vpn_servers import update_vpn
from controller.devices.models import Device
from controller.vpn import rules
from controller.vpn.engine.servers import ENGINES
from controller.vpn.models import Vpn
from pki.models import Cert

MOST_CLIENTS = 100
# Deferred: decrypting these columns is slow.
HEAVY = ("archive", "private_key", "key", "auth_token", "dh")


class ServerConfigWidget(SchemaWidget):
    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["schemas"] = {
            backend: reverse("admin:vpn_schema", args=[backend])
            for backend in Vpn.Backend.values
        }
        return context


class VpnForm(RuleForm):
    class Meta:
        model = Vpn
        fields = [
            "name", "organization", "host", "backend", "ca", "subnet", "key", "webhook_endpoint",
            "auth_token", "config", "notes",
        ]  # fmt: skip
        labels = {
            "backend": _("Type"),
            "ca": _("Certificate authority"),
            "webhook_endpoint": _("Webhook URL"),
            "auth_token": _("Webhook token"),
        }
        help_texts = {
            "host": _("Host name or IP address that clients connect to."),
            "backend": "",
            "subnet": _("Clients get addresses from this subnet."),
            "key": _(
                "The agent on the server signs in with this key. Leave empty to create one."
            ),
            "webhook_endpoint": _("Called when the server must fetch a new configuration."),
            "auth_token": _("Sent to the webhook, or to the API of ZeroTier."),
        }
        widgets = {
            "config": ServerConfigWidget,
            "key": SecretWidget,
            "auth_token": SecretWidget,
        }

    def clean_config(self) -> Any:
        return self.cleaned_data["config"] or {}


@admin.register(Vpn)
class VpnAdmin(Versioned, RuleAdmin, OwnTransactions):  # type: ignore[misc]  # two classes of forms
    empty_hint = _(
        "Templates create the clients of a VPN server: each device gets a certificate or key, and an address."
    )
    search_rank = 13
    search_icon = "vpn_lock"
    resource = "vpn"
    form = VpnForm
    create_rule = rules.create_vpn
    update_rule = update_vpn
    delete_rule = rules.delete_vpn
    list_display = ["name", "owner", "kind", "host", "joined", "modified"]
    list_filter = [("organization", ScopedRelatedFilter), "backend"]
    list_select_related = ["organization"]
    search_fields = ["name", "host"]
    actions_detail = ["show_versions"]
    actions_list = ["show_deleted"]
    ordering = ["name"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        general = [("name", "organization"), ("host", "backend"), ("ca", "subnet")]
        if obj is not None and not self.has_change_permission(request, obj):
            fields = [*general, "notes", "content"]
            return [(None, {"fields": fields}), (gettext("Clients"), {"fields": ["clients"]})]
        shown = [
            (None, {"fields": general}),
            (gettext("Configuration"), {"fields": ["config"]}),
            (gettext("Agent"), {"fields": ["key", ("webhook_endpoint", "auth_token")]}),
            (gettext("Notes"), {"fields": ["notes"]}),
        ]
        if obj is not None:
            shown.insert(1, (gettext("Certificate and address"), {"fields": ["given"]}))
            shown.append((gettext("Clients"), {"fields": ["clients"]}))
        return shown

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["given", "clients", "content"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        widgets = VpnForm.Meta.widgets
        if db_field.name in widgets:
            kwargs["widget"] = widgets[db_field.name]
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).annotate(client_count=Count("clients"))
        match = request.resolver_match
        listed = match is not None and (match.url_name or "").endswith("_changelist")
        return rows.defer(*HEAVY) if listed else rows.defer("archive")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("schema/<str:backend>.json", view(self.schema), name="vpn_schema"),
            path(
                "<path:object_id>/configuration.tar.gz",
                view(self.archive),
                name="vpn_vpn_archive",
            ),
            *super().get_urls(),
        ]

    def schema(self, request: HttpRequest, backend: str) -> HttpResponse:
        if backend not in ENGINES:
            raise Http404
        body = json.dumps(ENGINES[backend].schema(), separators=(",", ":"))
        return HttpResponse(body, content_type="application/json")

    def archive(self, request: HttpRequest, object_id: str) -> HttpResponse:
        vpn = rules.rendered(self.row_for(request, object_id, "secret"))
        return archive_response(vpn.name, bytes(vpn.archive))

    @display(description=_("Organization"), ordering="organization__name")
    def owner(self, obj: Vpn) -> str:
        return str(obj.organization) if obj.organization else badge(gettext("Shared"), "busy")

    @display(description=_("Kind"), ordering="backend")
    def kind(self, obj: Vpn) -> str:
        return obj.get_backend_display()

    @display(description=_("Clients"), ordering="client_count")
    def joined(self, obj: Any) -> int:
        return int(obj.client_count)

    @display(description=_("Configuration"))
    def content(self, obj: Vpn) -> str:
        """Return the configuration without secrets, for read-only users."""
        text = json.dumps(masking.masked(obj.config), indent=2, ensure_ascii=False)
        return format_html('<pre class="file">{}</pre>', text)

    @display(description=_("Certificate and address"))
    def given(self, obj: Vpn) -> str:
        lines = [
            (gettext("Address"), str(obj.ip or "")),
            (gettext("Public key"), obj.public_key),
            (gettext("Certificate"), linked(obj.cert) if obj.cert else ""),
            (gettext("Network"), obj.network_id),
            (gettext("Trouble"), badge(obj.trouble, "bad") if obj.trouble else ""),
        ]
        shown = format_html_join("", "{}: {}<br>", [line for line in lines if line[1]])
        url = reverse("admin:vpn_vpn_archive", args=[obj.pk])
        return format_html('{}<a href="{}">Download its configuration</a>', shown, url)

    @display(description=_("Devices"))
    def clients(self, obj: Any) -> str:
        rows = obj.clients.select_related("device", "ip", "cert").defer(
            "private_key", "secret", "device__key", "cert__private_key"
        )[:MOST_CLIENTS]
        lines = [
            (
                admin_url(Device, "change", row.device_id),
                row.device.name,
                row.ip or "-",
                row.vni or "-",
                gettext("until %(time)s") % {"time": local_time(row.cert.validity_end)}
                if row.cert
                else "-",
                badge(gettext("Ready"), "good")
                if row.is_ready
                else badge(gettext("Not ready"), "warn"),
            )
            for row in rows
        ]
        body = format_html_join(
            "",
            '<tr><td><a class="underline" href="{}">{}</a></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>',
            lines,
        )
        more = obj.client_count - len(lines)
        return format_html(
            '<table class="table"><thead><tr><th>Device</th><th>Address</th><th>VNI</th>'
            "<th>Certificate</th><th>State</th></tr></thead><tbody>{}</tbody></table>{}",
            body,
            f"and {more} more"
            if more > 0
            else ""
            if lines
            else gettext("No device has joined yet."),
        )

    def deletion_effects(self, obj: Vpn) -> list[str]:
        return [gettext("The certificate is revoked.")] if obj.cert_id else []


def linked(cert: Cert) -> str:
    return format_html('<a href="{}">{}</a>', admin_url(Cert, "change", cert.pk), cert)
