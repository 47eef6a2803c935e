"""Admin of devices: list, and page with configuration, connections and history."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.accounts.admin.table_imports import ImportExportAdmin
from controller.accounts.admin.versions import Versioned
from controller.base.admin import (
    LateJoinPaginator,
    RuleAdmin,
    ScopedRelatedFilter,
    action,
    admin_url,
    display,
    local_time,
)
from controller.base.errors import Refused
from controller.configs.admin import preview
from controller.configs.admin.add_device import AddsDevices
from controller.configs.admin.bulk_actions import begin
from controller.configs.admin.device_forms import CONFIG_FIELDS, DeviceForm
from controller.configs.admin.import_export import DeviceResource
from controller.configs.admin.organization_transfer import Movable
from controller.configs.models import Backend, Config, Push
from controller.configs.rules import devices as rules
from controller.configs.rules import drift as drifting
from controller.configs.rules.bulk_actions import BULK_ACTIONS
from controller.configs.rules.push_queue import enqueue
from controller.connections.admin.approval import Approvable
from controller.connections.admin.connections import ConnectionInline
from controller.connections.admin.send_command import commands_of, run_on_many
from controller.devices.admin import filters
from controller.devices.admin.badges import (
    health_badge,
    history,
    presence_badge,
    relative_time,
    snapshots,
    status_badge,
)
from controller.devices.admin.panels import build_panels
from controller.devices.models import Device


@admin.register(Device)
class DeviceAdmin(AddsDevices, Versioned, Movable, ImportExportAdmin, Approvable, RuleAdmin):
    empty_hint = _(
        "Add a device here, import a table, or let devices register themselves with the shared secret of an organization."
    )
    search_rank = 1
    search_icon = "router"
    resource = "device"
    form = DeviceForm
    delete_rule = rules.delete_device
    resource_classes = [DeviceResource]
    list_display = [
        "device",
        "organization",
        "group",
        "health_state",
        "presence_state",
        "config_state",
        "seen",
        "address",
    ]
    list_filter = [
        filters.ShowFilter, filters.HealthFilter, filters.ConditionFilter, filters.PresenceFilter, filters.ConfigFilter,
        ("organization", ScopedRelatedFilter), ("group", ScopedRelatedFilter),
        filters.TemplateFilter, filters.BackendFilter,
    ]  # fmt: skip
    search_fields = [
        "name", "mac_address", "management_ip", "presence__last_ip", "hardware_id", "model",
    ]  # fmt: skip
    search_help_text = _("Name, MAC address, IP address, serial number or model")
    ordering = ["name"]
    paginator = LateJoinPaginator
    inlines = [ConnectionInline]
    actions = ["run_command", *(begin(kind) for kind in BULK_ACTIONS)]
    actions_detail = ["show_versions", "move", "approve", "deactivate", "activate"]
    actions_list = ["show_deleted"]
    change_form_template = "admin/devices/device/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if (
            request.resolver_match
            and request.resolver_match.url_name == "devices_device_changelist"
        ):
            # Unused by the list, and the key would be decrypted for each row.
            rows = rows.defer("key", "notes", "config__config", "config__context")
        return rows.select_related("organization", "group", "presence", "config", "monitoring")

    # --- list

    @display(description=_("Device"), ordering="name")
    def device(self, obj: Device) -> str:
        return format_html(
            '<span class="two-lines">{}<small class="mono">{}</small></span>',
            obj.name,
            obj.mac_address if obj.mac_address.lower() != obj.name.lower() else obj.model,
        )

    @display(description=_("Health"), ordering="monitoring__health")
    def health_state(self, obj: Device) -> str:
        row = getattr(obj, "monitoring", None)
        since = (
            gettext("Since %(since)s") % {"since": local_time(row.since)}
            if row
            else gettext("It was never measured.")
        )
        return health_badge(obj, since)

    @display(description=_("Presence"), ordering="presence__state")
    def presence_state(self, obj: Device) -> str:
        return presence_badge(obj)

    @display(description=_("Configuration"), ordering="config__status")
    def config_state(self, obj: Device) -> str:
        return status_badge(getattr(obj, "config", None))

    @display(description=_("Last seen"), ordering="presence__last_seen")
    def seen(self, obj: Device) -> str:
        return (
            relative_time(obj.presence.last_seen)
            if hasattr(obj, "presence")
            else gettext("never")
        )

    @display(description=_("Address"), ordering="management_ip")
    def address(self, obj: Device) -> str:
        told = obj.presence.last_ip if hasattr(obj, "presence") else None
        return obj.management_ip or told or "-"

    def get_actions(self, request: HttpRequest) -> Any:
        user: Any = request.user
        found: dict[str, Any] = super().get_actions(request)
        # Bulk deletion is a bulk operation with a preview.
        found.pop("delete_selected", None)
        return {
            name: one for name, one in found.items()
            if name not in BULK_ACTIONS or user.has_perm_anywhere(BULK_ACTIONS[name].permission)
        }  # fmt: skip

    def has_command_permission(self, request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.has_perm_anywhere("command:create"))

    @admin.action(description=_("Run a command …"), permissions=["command"])
    def run_command(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        return run_on_many(self, request, queryset)

    def confirm(self, request: HttpRequest, row: Device, verb: str) -> TemplateResponse:
        context = self.admin_site.each_context(request) | {
            "title": verb,
            "opts": self.opts,
            "verb": verb,
            "row": row,
            "wipes": verb == "Deactivate",
            "approves": verb.startswith("Approve"),
        }
        return TemplateResponse(request, "admin/devices/device/confirm.html", context)

    # --- page

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        in_service = obj is None or not obj.is_deactivated
        return in_service and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        ended = obj is None or obj.is_deactivated
        return ended and super().has_delete_permission(request, obj)

    def edits_config(self, request: HttpRequest, obj: Device) -> bool:
        """Return whether the user may edit the configuration; requires reading its secrets."""
        user: Any = request.user
        return (
            user.has_perm_on("config:update", obj)
            and user.has_perm_on("device:secret", obj)
            and self.has_change_permission(request, obj)
        )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        identity: list[Any] = ["name", "mac_address", "organization", "group", "management_ip"]
        about: list[Any] = ["kind", "hardware_id", "model", "os", "system"]
        if obj is None:
            return [(None, {"fields": [*identity, "config_backend", "notes"]})]
        if self.may(request, "secret", obj):
            about.append("key")
        sets = [
            (None, {"fields": [*identity]}),
            (gettext("Details"), {"fields": [*about, "notes"]}),
        ]
        if self.edits_config(request, obj):
            sets.append((gettext("Configuration"), {"fields": list(CONFIG_FIELDS)}))
        return sets

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial = super().get_changeform_initial_data(request)
        return {"config_backend": Backend.OPENWRT} | initial

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # Changing the organization has side effects; the button "Move" shows them.
        return ["organization"] if obj else []

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return list(super().get_inlines(request, obj)) if obj else []

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        device: Device | None = kw.get("obj")
        if device is not None:
            context |= self.page_of(request, device)
        return super().render_change_form(request, context, *args, **kw)

    def page_of(self, request: HttpRequest, saved: Device) -> dict[str, Any]:
        # The form may have put rejected values on the instance.
        device = self.get_queryset(request).get(pk=saved.pk)
        user: Any = request.user
        config: Config | None = getattr(device, "config", None)
        last_push = Push.objects.filter(config__device=device).first()
        reads = user.has_perm_on("config:read", device)
        return {
            "device": device,
            "config": config,
            "presence": presence_badge(device),
            "status": status_badge(config),
            "seen": self.seen(device),
            "pushed": relative_time(last_push.ended or last_push.created)
            if last_push
            else gettext("never"),
            "push": last_push,
            "reads_config": reads,
            "edits_config": self.edits_config(request, device),
            "can_push": self.can_push(request, device, config),
            "drift_verbs": self.drift_verbs(request, device, config),
            "history": history(device) if reads else [],
            "snapshots": snapshots(device) if reads else [],
            "restores": user.has_perm_on("config:update", device) and not device.is_deactivated,
            "commands": commands_of(request, device),
        } | build_panels(request, device)

    def can_push(self, request: HttpRequest, device: Device, config: Config | None) -> bool:
        user: Any = request.user
        waits = config is not None and config.status in {"modified", "error"}
        return waits and bool(user.has_perm_on("config:update", device))

    def drift_verbs(
        self, request: HttpRequest, device: Device, config: Config | None
    ) -> list[tuple[str, str]]:
        """Return the drift actions available for this device, with button labels."""
        user: Any = request.user
        if config is None or not user.has_perm_on("config:update", device):
            return []
        verbs = [("repair", gettext("Push again"))] if config.drifted_at else []
        asks = config.applied_id and not config.is_retired and device.management_ip
        return [*verbs, ("check", gettext("Check for drift"))] if asks else verbs

    def response_add(
        self, request: HttpRequest, obj: Any, *args: Any, **kw: Any
    ) -> HttpResponse:
        response = super().response_add(request, obj, *args, **kw)
        if isinstance(response, HttpResponseRedirect) and "_addanother" not in request.POST:
            return HttpResponseRedirect(admin_url(Device, "change", obj.pk))
        return response

    # --- buttons

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path(
                "<uuid:pk>/preview/",
                view(require_POST(self.preview)),
                name="devices_device_preview",
            ),
            path("<uuid:pk>/push/", view(require_POST(self.push)), name="devices_device_push"),
            path(
                "<uuid:pk>/drift/", view(require_POST(self.drift)), name="devices_device_drift"
            ),
            *super().get_urls(),
        ]

    def preview(self, request: HttpRequest, pk: Any) -> JsonResponse:
        device = self.row_for(request, str(pk), "read")
        user: Any = request.user
        if not user.has_perm_on("config:read", device):
            raise PermissionDenied
        try:
            # Without edit permission only the saved state is previewed: a draft could expose
            # variables under
            # names that are not masked.
            sent = preview.read(request) if self.edits_config(request, device) else {}
            return preview.of_device(device, sent, user)
        except preview.BadRequest as error:
            return JsonResponse({"error": str(error), "files": []})

    def push(self, request: HttpRequest, pk: Any) -> HttpResponse:
        device = self.row_for(request, str(pk), "read")
        config = getattr(device, "config", None)
        if not self.can_push(request, device, config):
            raise PermissionDenied
        if enqueue([device.config.pk]):
            self.message_user(
                request,
                gettext("The configuration of %(device)s is on its way.") % {"device": device},
            )
        else:
            self.message_user(
                request,
                gettext(
                    "It cannot be pushed: the device needs a management address and an enabled "
                    "connection. Its agent will fetch the configuration by itself."
                ),
                "warning",
            )
        return HttpResponseRedirect(admin_url(Device, "change", device.pk))

    def drift(self, request: HttpRequest, pk: Any) -> HttpResponse:
        device = self.row_for(request, str(pk), "read")
        config = getattr(device, "config", None)
        verb = request.POST.get("verb")
        if config is None or verb not in dict(self.drift_verbs(request, device, config)):
            raise PermissionDenied
        try:
            if verb == "repair":
                drifting.repair(config)
                self.message_user(
                    request,
                    gettext("The configuration of %(device)s is pushed again.")
                    % {"device": device},
                )
            elif drifting.request_check(config).drifted_at:
                self.message_user(request, config.drift_reason, "warning")
            else:
                self.message_user(
                    request,
                    gettext("%(device)s was asked; no drift is known.") % {"device": device},
                )
        except Refused as error:
            self.message_user(request, str(error), "error")
        return HttpResponseRedirect(admin_url(Device, "change", device.pk))

    def has_deactivate_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.may_switch(request, object_id, deactivated=False)

    def has_activate_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.may_switch(request, object_id, deactivated=True)

    def may_switch(self, request: HttpRequest, object_id: Any, *, deactivated: bool) -> bool:
        if object_id is None:
            return self.may(request, "deactivate")
        row = self.get_object(request, str(object_id))
        return (
            row is not None
            and row.is_deactivated == deactivated
            and self.may(request, "deactivate", row)
        )

    @action(description=_("Deactivate"), icon="power_settings_new", permissions=["deactivate"])
    def deactivate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.switch(request, object_id, rules.deactivate, gettext("Deactivate"))

    @action(description=_("Activate"), icon="play_arrow", permissions=["activate"])
    def activate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.switch(request, object_id, rules.activate, gettext("Activate"))

    def switch(
        self, request: HttpRequest, object_id: str, rule: Any, verb: str
    ) -> HttpResponse:
        device = self.row_for(request, object_id, "deactivate")
        if request.method != "POST":
            return self.confirm(request, device, verb)
        try:
            rule(device)
            self.message_user(request, f"{verb}: {device}.")
        except Refused as error:
            self.message_user(request, str(error), "error")
        return HttpResponseRedirect(admin_url(Device, "change", device.pk))
