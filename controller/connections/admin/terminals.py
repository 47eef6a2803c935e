"""Admin pages of terminals: open, list, force close, and play back."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.accounts.rules.audit import record_audit
from controller.base.admin import (
    ChoicesDropdownFilter,
    RecordAdmin,
    ScopedRelatedFilter,
    admin_url,
    badge,
    display,
    local_time,
)
from controller.base.errors import Refused
from controller.connections.models import DeviceConnection, Terminal
from controller.connections.rules import recordings
from controller.connections.rules import terminals as rules
from controller.devices.admin.badges import relative_time
from controller.devices.models import Device

TONES = {
    Terminal.State.OFFERED: "mute",
    Terminal.State.OPEN: "busy",
    Terminal.State.CLOSED: "good",
}
LAST = 10


@admin.register(Terminal)
class TerminalAdmin(RecordAdmin):
    empty_hint = _("Terminals are opened on a device's page.")
    resource = "terminal"
    list_display = ["on", "organization", "actor", "reason", "shown_state", "begun", "play"]
    list_filter = [
        ("device__organization", ScopedRelatedFilter), ("state", ChoicesDropdownFilter),
    ]  # fmt: skip
    list_select_related = ["device__organization"]
    search_fields = ["device__name", "actor", "reason"]
    search_help_text = _("Device, user or reason")
    fields = [
        "on", "actor", "address", "reason", "shown_state", "opened", "closed", "closed_because",
        "play",
    ]  # fmt: skip
    readonly_fields = fields
    actions = ["close_many"]

    @display(description=_("Device"), ordering="device__name")
    def on(self, obj: Terminal) -> str:
        return obj.device.name

    @display(description=_("Organization"), ordering="device__organization__name")
    def organization(self, obj: Terminal) -> str:
        return obj.device.organization.name

    @display(description=_("State"), ordering="state")
    def shown_state(self, obj: Terminal) -> str:
        tone = TONES[Terminal.State(obj.state)]
        return badge(obj.get_state_display().capitalize(), tone, obj.closed_because)

    @display(description=_("Opened"), ordering="created")
    def begun(self, obj: Terminal) -> str:
        return relative_time(obj.opened or obj.created)

    @display(description=_("Recording"))
    def play(self, obj: Terminal) -> str:
        if obj.opened is None:
            return "-"
        link = reverse("admin:terminal_play", args=[obj.pk])
        return format_html('<a class="link" href="{}">Play</a>', link)

    def has_close_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "close")

    @admin.action(description=_("Close selected terminals"), permissions=["close"])
    def close_many(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        rows = list(queryset.select_related("device"))
        if not all(self.may(request, "close", row) for row in rows):
            raise PermissionDenied
        for row in rows:
            rules.ask_to_close(row)
        self.message_user(
            request, gettext("%(count)s terminals are being closed.") % {"count": len(rows)}
        )

    # --- pages

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("on/<uuid:device_id>/", view(self.page), name="terminal_page"),
            path(
                "on/<uuid:device_id>/ticket/",
                view(require_POST(self.ticket)),
                name="terminal_ticket",
            ),
            path("<uuid:pk>/play/", view(self.player), name="terminal_play"),
            path("<uuid:pk>/recording/", view(self.recording), name="terminal_recording"),
            *super().get_urls(),
        ]

    def device_for(self, request: HttpRequest, pk: Any) -> Device:
        user: Any = request.user
        device = Device.objects.visible_to(user, "device:read").filter(pk=pk).first()
        if device is None or not user.has_perm_on("terminal:open", device):
            raise PermissionDenied
        found: Device = device
        return found

    def page(self, request: HttpRequest, device_id: Any) -> HttpResponse:
        device = self.device_for(request, device_id)
        context = self.admin_site.each_context(request) | {
            "title": gettext("Terminal on %(device)s") % {"device": device},
            "opts": self.opts,
            "device": device,
            "back": f"{admin_url(Device, 'change', device.pk)}#terminal",
            "ticket_url": reverse("admin:terminal_ticket", args=[device.pk]),
        }
        return TemplateResponse(request, "admin/connections/terminal.html", context)

    def ticket(self, request: HttpRequest, device_id: Any) -> JsonResponse:
        device = self.device_for(request, device_id)
        user: Any = request.user
        try:
            terminal, ticket = rules.create_ticket(
                user, device, reason=request.POST.get("reason", "")
            )
        except Refused as refusal:
            return JsonResponse({"error": str(refusal)}, status=400)
        play = reverse("admin:terminal_play", args=[terminal.pk])
        return JsonResponse({"ticket": ticket, "play": play})

    def player(self, request: HttpRequest, pk: Any) -> HttpResponse:
        terminal = self.row_for(request, str(pk), "replay")
        context = self.admin_site.each_context(request) | {
            "title": gettext("Terminal on %(device)s, %(created)s")
            % {
                "device": terminal.device,
                "created": local_time(terminal.created),
            },
            "opts": self.opts,
            "terminal": terminal,
            "recording": reverse("admin:terminal_recording", args=[terminal.pk]),
        }
        return TemplateResponse(request, "admin/connections/recording.html", context)

    def recording(self, request: HttpRequest, pk: Any) -> HttpResponse:
        terminal = self.row_for(request, str(pk), "replay")
        record_audit("terminal.replayed", terminal)
        answer = HttpResponse(
            recordings.played(terminal), content_type="application/x-asciicast"
        )
        answer["Cache-Control"] = "no-store"
        return answer


def terminals_of(request: HttpRequest, device: Device) -> dict[str, Any] | None:
    """Return the context of the Terminal tab, or None if not permitted."""
    user: Any = request.user
    opens = user.has_perm_on("terminal:open", device) and not device.is_deactivated
    reads = user.has_perm_on("terminal:read", device)
    if not opens and not reads:
        return None
    ways = DeviceConnection.objects.by_ssh().filter(device=device)
    rows = Terminal.objects.filter(device=device)[:LAST] if reads else []
    return {
        "page": reverse("admin:terminal_page", args=[device.pk]) if opens else "",
        "reachable": bool(device.management_ip) and ways.exists(),
        "rows": [
            {
                "row": row,
                "ago": relative_time(row.opened or row.created),
                "state": badge(
                    row.get_state_display().capitalize(), TONES[Terminal.State(row.state)]
                ),
                "play": reverse("admin:terminal_play", args=[row.pk])
                if row.opened and user.has_perm_on("terminal:replay", device)
                else "",
            }
            for row in rows
        ],
    }
