"""Admin pages of gateways' backups, their comparison, and the policies by which they are made."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.base.admin import (
    ChoicesDropdownFilter,
    RuleAdmin,
    RuleForm,
    ScopedRelatedFilter,
    admin_url,
    badge,
    display,
)
from controller.base.errors import Refused
from controller.base.secret_fields import may_read_secrets
from controller.devices.admin.badges import relative_time
from networks.gateways.models import Change, Gateway, GatewayBackup, GatewayBackupPolicy
from networks.gateways.rules import backup_files, backups
from networks.gateways.rules.backup_comparison import compare

TONES = {"waiting": "busy", "stored": "good", "failed": "bad"}
OTHERS, LATEST = 200, 5


def state_of(row: GatewayBackup) -> str:
    return badge(row.get_state_display(), TONES[row.state], row.outcome)


def latest_of(gateway: Gateway) -> list[dict[str, Any]]:
    """Return the newest backups of a gateway as rows of its page."""
    rows = gateway.backups.select_related("configuration").defer(
        "configuration__contents", "configuration__settings"
    )
    return [
        {
            "link": admin_url(GatewayBackup, "change", row.pk),
            "state": state_of(row),
            "made": relative_time(row.created),
            "reason": row.get_reason_display(),
            "size": filesizeformat(row.configuration.size) if row.configuration else "-",
        }
        for row in rows[:LATEST]
    ]


@admin.register(GatewayBackup)
class GatewayBackupAdmin(RuleAdmin):
    empty_hint = _(
        "Gateways are backed up every day, before change sets, and by the button on a gateway's page."
    )
    resource = "gateway"
    delete_rule = backups.delete_backup
    warn_unsaved_form = False
    list_display = ["__str__", "gateway", "status", "why", "bytes", "holds", "made"]
    list_filter = [
        ("gateway", ScopedRelatedFilter), ("state", ChoicesDropdownFilter),
        ("reason", ChoicesDropdownFilter),
    ]  # fmt: skip
    list_select_related = ["gateway", "configuration"]
    search_fields = ["gateway__name", "configuration__digest"]
    search_help_text = _("Gateway, or SHA-256 of what the backup holds")
    fields = readonly_fields = ["gateway"]
    change_form_template = "admin/networks/gatewaybackup/change_form.html"

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        return verb not in {"create", "update"} and super().may(request, verb, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.select_related("gateway__organization", "gateway__site", "configuration")

    @display(description=_("State"), ordering="state")
    def status(self, obj: GatewayBackup) -> str:
        return state_of(obj)

    @display(description=_("Reason"), ordering="reason")
    def why(self, obj: GatewayBackup) -> str:
        return obj.get_reason_display()

    @display(description=_("Size"), ordering="configuration__size")
    def bytes(self, obj: GatewayBackup) -> str:
        return filesizeformat(obj.configuration.size) if obj.configuration else "-"

    @display(description=_("Holds"), ordering="configuration__digest")
    def holds(self, obj: GatewayBackup) -> str:
        return obj.configuration.digest[:8] if obj.configuration else "-"

    @display(description=_("Created"), ordering="created")
    def made(self, obj: GatewayBackup) -> str:
        return relative_time(obj.created)

    # --- page

    def get_urls(self) -> list[Any]:
        view, name = self.admin_site.admin_view, "networks_gatewaybackup"
        return [
            path("<uuid:pk>/download/", view(self.download), name=f"{name}_download"),
            path("<uuid:pk>/compare/", view(self.compare), name=f"{name}_compare"),
            path(
                "<uuid:pk>/restore/", view(require_POST(self.restore)), name=f"{name}_restore"
            ),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        if (row := kw.get("obj")) is not None:
            context |= self.page_of(request, row)
        return super().render_change_form(request, context, *args, **kw)

    def page_of(self, request: HttpRequest, row: GatewayBackup) -> dict[str, Any]:
        others = row.gateway.backups.filter(state="stored").exclude(pk=row.pk)
        held = row.configuration
        facts = {
            gettext("State"): state_of(row),
            gettext("Reason"): row.get_reason_display(),
            gettext("Requested by"): row.author or "-",
            gettext("Taken"): row.taken or "-",
            gettext("Version of the gateway"): row.version or "-",
            gettext("File"): f"{held.name}, {filesizeformat(held.size)}" if held else "-",
            "SHA-256 of what it holds": held.digest if held else "-",
        }
        return {
            "backup": row,
            "facts": facts,
            "gateway_link": admin_url(Gateway, "change", row.gateway_id),
            "others": others.only("pk", "created", "gateway__name")[:OTHERS] if held else [],
            "downloads": held and may_read_secrets(request.user, held),
            "restores": backups.can_be_restored(row),
        }

    def download(self, request: HttpRequest, pk: Any) -> HttpResponse:
        row, user = self.row_for(request, str(pk), "secret"), request.user
        try:
            return backup_files.download_response(row, by=user)  # type: ignore[arg-type]
        except Refused as error:
            return self.back(request, row, error)

    def compare(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Show this backup beside another one of its gateway, the older one on the left."""
        row = self.row_for(request, str(pk), "read")
        other = self.row_for(request, request.GET.get("with", ""), "read")
        older, newer = sorted((row, other), key=lambda one: one.created)
        try:
            found = compare(older, newer)
        except Refused as error:
            return self.back(request, row, error)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Backups of %(gateway)s") % {"gateway": row.gateway},
            "older": older,
            "newer": newer,
            "found": found,
            "back_link": admin_url(GatewayBackup, "change", row.pk),
        }
        return render(request, "admin/networks/gatewaybackup/compare.html", context)

    def restore(self, request: HttpRequest, pk: Any) -> HttpResponse:
        row, user = self.row_for(request, str(pk), "read"), request.user
        try:
            change = backup_files.stage_restore(row, by=user)  # type: ignore[arg-type]
        except Refused as error:
            return self.back(request, row, error)
        return HttpResponseRedirect(admin_url(Change, "change", change.pk))

    def back(self, request: HttpRequest, row: GatewayBackup, error: Refused) -> HttpResponse:
        self.message_user(request, str(error), "error")
        return HttpResponseRedirect(admin_url(GatewayBackup, "change", row.pk))


class PolicyForm(RuleForm):
    class Meta:
        model = GatewayBackupPolicy
        fields = ["organization", "gateway", "hours", "before_changes", "keep", "days"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "gateway" in self.fields:
            # Gateways are added on a page of their own, which asks them first.
            widget: Any = self.fields["gateway"].widget
            widget.can_add_related = widget.can_change_related = False
            widget.can_delete_related = False


@admin.register(GatewayBackupPolicy)
class GatewayBackupPolicyAdmin(RuleAdmin):
    empty_hint = _("Without a policy each gateway is backed up once a day.")
    resource = "organization"
    form = PolicyForm
    create_rule = backups.create_policy
    update_rule = backups.update_policy
    delete_rule = backups.delete_policy
    list_display = ["__str__", "organization", "hours", "before_changes", "keep", "days"]
    list_filter = [("organization", ScopedRelatedFilter)]
    list_select_related = ["organization", "gateway"]
    search_fields = ["gateway__name", "organization__name"]
    fieldsets = [
        (None, {"fields": [("organization", "gateway"), ("hours", "before_changes")]}),
        (_("Retention"), {"fields": [("keep", "days")]}),
    ]

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        return super().may(request, "update" if verb in {"create", "delete"} else verb, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["organization"] if obj else []
