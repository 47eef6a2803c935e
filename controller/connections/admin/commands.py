"""Read-only admin of commands and command batches, with their progress."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import (
    ChoicesDropdownFilter,
    RecordAdmin,
    ScopedRelatedFilter,
    admin_url,
    badge,
    display,
    stacked_bar,
)
from controller.connections.engine.commands import label_of
from controller.connections.models import Command, CommandBatch
from controller.devices.admin.badges import relative_time
from controller.devices.models import Device

TONES = {
    Command.Status.SUCCESS: "good",
    Command.Status.FAILED: "bad",
    Command.Status.UNKNOWN: "warn",
    Command.Status.IN_PROGRESS: "busy",
    Command.Status.CANCELLED: "mute",
}
# Failures first; a batch's page shows this many results.
RESULTS = 200
MINUTE = 60
WORST_FIRST = [
    Command.Status.FAILED, Command.Status.UNKNOWN, Command.Status.IN_PROGRESS,
    Command.Status.CANCELLED, Command.Status.SUCCESS,
]  # fmt: skip
LAST_LINE = 160


def state_of(command: Command) -> str:
    label = command.get_status_display().capitalize()
    return badge(label, TONES[Command.Status(command.status)])


@admin.register(Command)
class CommandAdmin(RecordAdmin):
    resource = "command"
    empty_hint = _(
        "Send commands from the page of a device, or to many devices from their list."
    )
    list_display = ["on", "organization", "kind", "asked", "state", "sent", "took"]
    list_filter = [
        ("device__organization", ScopedRelatedFilter), ("status", ChoicesDropdownFilter),
        ("type", ChoicesDropdownFilter),
    ]  # fmt: skip
    list_select_related = ["device__organization"]
    search_fields = ["device__name", "device__mac_address"]
    search_help_text = _("Name or MAC address of the device")
    fields = ["where", "kind", "sent", "live"]
    readonly_fields = fields

    class Media:
        js = [forms.Script("portal/commands.js", type="module")]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).defer("output", "device__key", "device__notes")
        return rows.select_related("device__organization")

    @display(description=_("Device"), ordering="device__name")
    def on(self, obj: Command) -> str:
        return obj.device.name

    @display(description=_("Device"))
    def where(self, obj: Command) -> str:
        link = admin_url(Device, "change", obj.device_id)
        return format_html('<a class="link" href="{}#commands">{}</a>', link, obj.device)

    @display(description=_("Organization"), ordering="device__organization__name")
    def organization(self, obj: Command) -> str:
        return obj.device.organization.name

    @display(description=_("Command"), ordering="type")
    def kind(self, obj: Command) -> str:
        return obj.get_type_display()

    @display(description=_("Input"))
    def asked(self, obj: Command) -> str:
        return format_html('<code class="mono clipped">{}</code>', obj.shown_input or "-")

    @display(description=_("State"), ordering="status")
    def state(self, obj: Command) -> str:
        return state_of(obj)

    @display(description=_("Sent"), ordering="created")
    def sent(self, obj: Command) -> str:
        return relative_time(obj.created)

    @display(description=_("Took"))
    def took(self, obj: Command) -> str:
        if obj.started is None or obj.ended is None:
            return "-"
        seconds = (obj.ended - obj.started).total_seconds()
        if seconds < MINUTE:
            return gettext("%(seconds)s s") % {"seconds": format(seconds, ".1f")}
        return timesince(obj.started, obj.ended)

    @display(description=_("Output"))
    def live(self, obj: Command) -> str:
        url = f"/api/v1/controller/device/{obj.device_id}/command/{obj.pk}/"
        return format_html('<div class="command-list" data-command="{}"></div>', url)


@admin.register(CommandBatch)
class BatchAdmin(RecordAdmin):
    resource = "command"
    empty_hint = _("Select devices in their list to run a command on all of them.")
    list_display = ["name", "organization", "kind", "progress", "sent"]
    list_filter = [("organization", ScopedRelatedFilter)]
    list_select_related = ["organization"]
    search_fields = ["label"]
    change_form_template = "admin/connections/commandbatch/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return rows.counted()

    @display(description=_("For"), ordering="label")
    def name(self, obj: CommandBatch) -> str:
        return str(obj)

    @display(description=_("Command"), ordering="type")
    def kind(self, obj: CommandBatch) -> str:
        return gettext(label_of(obj.type))

    @display(description=_("Progress"))
    def progress(self, obj: Any) -> str:
        ended = obj.total - obj.in_progress
        troubled = obj.failed + obj.unknown
        tone = "busy" if obj.in_progress else "bad" if troubled else "good"
        more = gettext(", %(troubled)s in trouble") % {"troubled": troubled} if troubled else ""
        return badge(f"{ended} of {obj.total}{more}", tone)

    @display(description=_("Sent"), ordering="created")
    def sent(self, obj: CommandBatch) -> str:
        return relative_time(obj.created)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.results)
        name = "connections_commandbatch_results"
        return [path("<uuid:pk>/results/", view, name=name), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        batch = kw.get("obj")
        if batch is not None:
            context |= {"title": str(batch)} | results_of(request, batch)
        return super().render_change_form(request, context, *args, **kw)

    def results(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Return the part of the page that is refreshed."""
        batch = self.row_for(request, str(pk), "read")
        return render(request, "portal/batch.html", results_of(request, batch))


def results_of(request: HttpRequest, batch: Any) -> dict[str, Any]:
    worst = Case(
        *(When(status=status, then=Value(at)) for at, status in enumerate(WORST_FIRST)),
        output_field=IntegerField(),
    )
    rows = list(
        batch.commands.visible_to(request.user)
        .select_related("device")
        .defer("device__key", "device__notes")
        .order_by(worst, "device__name")[:RESULTS]
    )
    every = f"{reverse('admin:connections_command_changelist')}?batch__id__exact={batch.pk}"
    counts = [(status, getattr(batch, status.replace("-", "_"))) for status in WORST_FIRST]
    return {
        "batch": batch,
        "input": rows[0].shown_input if rows else "",
        "heading": gettext(label_of(batch.type)),
        "about": str(batch.organization),
        "total": batch.total,
        "said": gettext("Last line of its output"),
        "card": stacked_bar(
            [
                {
                    "label": Command.Status(status).label.capitalize(),
                    "count": count,
                    "tone": TONES[status],
                    "link": f"{every}&status__exact={status}",
                }
                for status, count in counts
            ]
        ),
        "rows": [
            {
                "name": row.device.name,
                "link": admin_url(Command, "change", row.pk),
                "state": state_of(row),
                "last": row.output.strip().rpartition("\n")[2][:LAST_LINE],
            }
            for row in rows
        ],
        "every": every,
        "more": max(0, batch.total - RESULTS),
        "waits": batch.in_progress,
    }
