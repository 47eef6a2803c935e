"""Admin of scans: start, follow progress, adopt findings."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.accounts.models import User
from controller.base.admin import (
    RuleAdmin,
    RuleForm,
    ScopedRelatedFilter,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    admin_url,
    badge,
    display,
)
from controller.base.errors import Refused
from controller.devices.models import Device
from controller.discovery import rules
from controller.discovery.drivers.contract import METHODS, USUAL_METHODS, USUAL_PORTS
from controller.discovery.models import Finding, Scan

MOST_SHOWN = 500
TONES = {"completed": "good", "running": "info", "failed": "bad"}


METHOD_TITLES = {
    "tcp_connect": _("TCP connections to the ports below"),
    "icmp": _("ICMP echo (ping)"),
    "arp": _("ARP, in networks of the portal itself"),
    "mdns": "mDNS (Bonjour, Avahi)",
    "ssdp": "SSDP (UPnP)",
    "snmp": _("SNMP, with the community below"),
    "dns": _("Reverse DNS"),
}


class ScanForm(RuleForm):
    user: User  # set by the admin
    targets = forms.CharField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "placeholder": "10.0.0.0/24"}),
        help_text=_("Addresses, networks or ranges such as 10.0.0.10-20, one per line."),
    )
    exclude_targets = forms.CharField(
        label=_("Exclude"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("Addresses that the scan leaves out, one per line."),
    )
    scan_methods = forms.MultipleChoiceField(
        label=_("Methods"), choices=[(one, METHOD_TITLES[one]) for one in METHODS],
        initial=list(USUAL_METHODS), widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )  # fmt: skip
    tcp_ports = forms.RegexField(
        r"^\d{1,5}([\s,]+\d{1,5})*$",
        label=_("TCP ports"),
        initial=", ".join(map(str, USUAL_PORTS)),
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Numbers, separated by commas."),
    )

    community = forms.CharField(
        label=_("SNMP community"), required=False, max_length=64,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text=_("Leave empty for the default community. The scan does not keep it."),
    )  # fmt: skip

    class Meta:
        model = Scan
        fields = ["organization", "site", "at_once", "seconds"]

    def clean_tcp_ports(self) -> list[int]:
        ports = [int(one) for one in self.cleaned_data["tcp_ports"].replace(",", " ").split()]
        if not all(0 < port < 2**16 for port in ports):
            raise forms.ValidationError(gettext("Ports are numbers from 1 to 65535."))
        return ports

    def rule_values(self) -> dict[str, Any]:
        given = super().rule_values()
        return {
            "organization": given["organization"],
            "by": self.user,
            "site": given["site"],
            "wanted": given["targets"].split(),
            "excluded": given["exclude_targets"].split(),
            "methods": given["scan_methods"],
            "ports": given["tcp_ports"],
            "at_once": given["at_once"],
            "seconds": given["seconds"],
            "community": given["community"],
        }


@admin.register(Scan)
class ScanAdmin(RuleAdmin):
    empty_hint = _("A scan finds devices in your networks. You choose which of them to add.")
    change_form_template = "admin/discovery/scan/change_form.html"
    resource = "discovery"
    form = ScanForm
    create_rule = rules.start
    list_display = ["name", "organization", "site", "status", "progress", "found", "began"]
    list_filter = [("organization", ScopedRelatedFilter)]
    list_select_related = ["organization", "site"]

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        """Permit scans to users who may run them; scans cannot be changed."""
        return verb != "update" and super().may(request, "run", obj)

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form, user = super().get_form(request, obj, **kwargs), request.user
        may_in = staticmethod(lambda owner: user.has_perm_in(rules.RUN, owner))  # type: ignore[union-attr]
        return type(form.__name__, (form,), {"may_in": may_in})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj:
            return [("organization", "site"), ("at_once", "seconds")]
        return [
            ("organization", "site"), "targets", "exclude_targets", "scan_methods", "tcp_ports",
            "community", ("at_once", "seconds"),
        ]  # fmt: skip

    @display(description=_("Targets"))
    def name(self, obj: Scan) -> str:
        return str(obj)

    @display(description=_("Status"))
    def status(self, obj: Scan) -> str:
        return badge(obj.get_state_display(), TONES.get(obj.state, "mute"), obj.trouble)

    @display(description=_("Progress"))
    def progress(self, obj: Scan) -> str:
        return gettext("%(scanned)s of %(total)s") % {
            "scanned": obj.scanned,
            "total": obj.total,
        }

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path(
                "<uuid:pk>/cancel/",
                view(require_POST(self.cancel)),
                name="discovery_scan_cancel",
            ),
            path(
                "<uuid:pk>/adopt/<uuid:finding_id>/",
                view(require_POST(self.adopt)),
                name="discovery_scan_adopt",
            ),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        scan = kw.get("obj")
        if scan is not None:
            context |= {
                "scan": scan,
                "status": self.status(scan),
                "progress": self.progress(scan),
                "is_active": scan.state in Scan.ACTIVE,
                "findings": scan.findings.select_related("device")[:MOST_SHOWN],
            }
        return super().render_change_form(request, context, *args, **kw)

    def cancel(self, request: HttpRequest, pk: Any) -> HttpResponse:
        scan = self.row_for(request, str(pk), "run")
        try:
            rules.cancel(scan, by=request.user)  # type: ignore[arg-type]
        except Refused as error:
            self.message_user(request, str(error), "error")
        return HttpResponseRedirect(admin_url(Scan, "change", pk))

    def adopt(self, request: HttpRequest, pk: Any, finding_id: Any) -> HttpResponse:
        scan = self.row_for(request, str(pk), "read")
        finding = get_object_or_404(Finding, scan=scan, pk=finding_id)
        given = {name: request.POST.get(name, "").strip() for name in ("name", "mac_address")}
        try:
            device = rules.adopt(finding, by=request.user, **given)  # type: ignore[arg-type]
        except Refused as error:
            self.message_user(request, str(error), "error")
            return HttpResponseRedirect(admin_url(Scan, "change", pk))
        return HttpResponseRedirect(admin_url(Device, "change", device.pk))
