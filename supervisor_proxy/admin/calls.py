"""Admin pages of supervisor calls and batches, and their results."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import (
    ChoicesDropdownFilter,
    RecordAdmin,
    RuleTabularInline,
    ScopedRelatedFilter,
    admin_url,
    badge,
    display,
    stacked_bar,
)
from controller.devices.admin.badges import relative_time
from supervisor_proxy.models import (
    CampaignDevice,
    SupervisorBatch,
    SupervisorCall,
    UpdateCampaign,
)

State = SupervisorCall.State
TONES = {
    State.QUEUED: "busy", State.RUNNING: "busy", State.SUCCEEDED: "good", State.FAILED: "bad",
    State.LOCKED: "warn", State.REFUSED: "mute", State.UNREACHABLE: "bad",
    State.UNKNOWN: "warn", State.EXPIRED: "mute", State.CANCELED: "mute",
}  # fmt: skip
WORST_FIRST = [
    State.FAILED, State.UNREACHABLE, State.UNKNOWN, State.LOCKED, State.REFUSED, State.EXPIRED,
    State.CANCELED, State.RUNNING, State.QUEUED, State.SUCCEEDED,
]  # fmt: skip
RESULTS = 200


def state_badge(call: SupervisorCall) -> str:
    tone = TONES[State(call.state)]
    return badge(call.get_state_display().capitalize(), tone, call.reason)


def shown_call(call: SupervisorCall) -> dict[str, Any]:
    force = " (forced)" if call.asked.get("force") else ""
    is_open = call.state in SupervisorCall.OPEN
    progress = {"progress": f"{call.progress} % {call.stage} "} if is_open else {}
    return progress | {
        "what": f"{call.method} {call.path}{force}",
        "state": call.get_state_display().capitalize(),
        "tone": TONES[State(call.state)],
        "reason": " ".join(filter(None, (call.reason, call.verdict))),
        "status": call.status,
        "actor": call.actor,
        "at": call.created.isoformat(),
        "took": call.duration,
    }


@admin.register(SupervisorCall)
class SupervisorCallAdmin(RecordAdmin):
    resource = "supervisor"
    empty_hint = _(
        "Calls are made on a device's page, from the list of supervisors, and over the API."
    )
    list_display = ["on", "what", "state_shown", "status", "actor", "sent", "took"]
    list_filter = [
        ("supervisor__device__organization", ScopedRelatedFilter),
        ("state", ChoicesDropdownFilter),
    ]
    list_select_related = ["supervisor__device"]
    search_fields = ["supervisor__device__name", "path", "actor", "request_id"]
    search_help_text = _("Device, path, user or request id")
    fields = [
        "on", "what", "state_shown", "status", "reason", "verdict", "asked", "answer", "actor",
        "channel", "address", "request_id", "created", "started", "ended", "took",
    ]  # fmt: skip
    readonly_fields = fields

    @display(description=_("Device"), ordering="supervisor__device__name")
    def on(self, obj: SupervisorCall) -> str:
        return obj.supervisor.device.name

    @display(description=_("Call"), ordering="path")
    def what(self, obj: SupervisorCall) -> str:
        return f"{obj.method} {obj.path}"

    @display(description=_("State"), ordering="state")
    def state_shown(self, obj: SupervisorCall) -> str:
        return state_badge(obj)

    @display(description=_("Asked"), ordering="created")
    def sent(self, obj: SupervisorCall) -> str:
        return relative_time(obj.created)

    @display(description=_("Took"), ordering="duration")
    def took(self, obj: SupervisorCall) -> str:
        return (
            "-"
            if obj.duration is None
            else gettext("%(duration)s ms") % {"duration": obj.duration}
        )

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        return lookup in {
            "supervisor__id__exact",
            "batch__id__exact",
        } or super().lookup_allowed(lookup, value, request)


@admin.register(SupervisorBatch)
class SupervisorBatchAdmin(RecordAdmin):
    resource = "supervisor"
    empty_hint = _("Select supervisors in their list to call all of them at once.")
    list_display = ["title", "organization", "progress", "actor", "sent"]
    list_filter = [("organization", ScopedRelatedFilter)]
    list_select_related = ["organization"]
    change_form_template = "admin/supervisor_proxy/batch.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return rows.counted()

    @display(description=_("Call"), ordering="name")
    def title(self, obj: SupervisorBatch) -> str:
        return f"{obj.method} {obj.path}"

    @display(description=_("Progress"))
    def progress(self, obj: Any) -> str:
        waits = obj.queued + obj.running
        tone = "busy" if waits else "good" if obj.succeeded == obj.total else "warn"
        return badge(f"{obj.total - waits} of {obj.total}, {obj.succeeded} succeeded", tone)

    @display(description=_("Asked"), ordering="created")
    def sent(self, obj: SupervisorBatch) -> str:
        return relative_time(obj.created)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.results)
        name = "supervisor_batch_results"
        return [path("<uuid:pk>/results/", view, name=name), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        batch = kw.get("obj")
        if batch is not None:
            context |= {"title": str(batch)} | results_of(batch)
        return super().render_change_form(request, context, *args, **kw)

    def results(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Render the live part of the page, for polling."""
        batch = self.row_for(request, str(pk), "read")
        return render(request, "portal/batch.html", results_of(batch))


def results_of(batch: Any) -> dict[str, Any]:
    calls = list(batch.calls.select_related("supervisor__device")[:RESULTS])
    calls.sort(key=lambda call: (WORST_FIRST.index(call.state), call.supervisor.device.name))
    every = f"{admin_url(SupervisorCall, 'changelist')}?batch__id__exact={batch.pk}"
    return {
        "batch": batch,
        "heading": f"{batch.method} {batch.path}",
        "about": f"{batch.organization}{f' · by {batch.actor}' if batch.actor else ''}",
        "total": batch.total,
        "said": gettext("Message"),
        "card": stacked_bar(
            [
                {
                    "label": State(state).label.capitalize(),
                    "count": getattr(batch, state),
                    "tone": TONES[state],
                    "link": f"{every}&state__exact={state}",
                }
                for state in WORST_FIRST
            ]
        ),
        "rows": [
            {
                "name": call.supervisor.device.name,
                "link": admin_url(SupervisorCall, "change", call.pk),
                "state": state_badge(call),
                "last": call.reason or call.answer[:160],
            }
            for call in calls
        ],
        "every": every,
        "more": max(0, batch.total - RESULTS),
        "waits": batch.queued + batch.running,
    }


class CampaignDeviceInline(RuleTabularInline):
    model = CampaignDevice
    resource = "supervisor"
    fields = ["on", "wave", "state", "before", "after", "backup", "reason"]
    readonly_fields = fields
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related("supervisor__device")

    @display(description=_("Device"))
    def on(self, obj: CampaignDevice) -> str:
        return obj.supervisor.device.name


@admin.register(UpdateCampaign)
class UpdateCampaignAdmin(RecordAdmin):
    resource = "supervisor"
    empty_hint = _("Select Home Assistant devices in their list to update them in waves.")
    list_display = ["name", "organization", "state_shown", "wave", "begun", "reason"]
    list_filter = [("organization", ScopedRelatedFilter), ("state", ChoicesDropdownFilter)]
    list_select_related = ["organization"]
    fields = [
        "name",
        "organization",
        "version",
        "state_shown",
        "wave",
        "reason",
        "created",
        "ended",
    ]
    readonly_fields = fields
    inlines = [CampaignDeviceInline]

    @display(description=_("State"), ordering="state")
    def state_shown(self, obj: UpdateCampaign) -> str:
        tones = {"running": "busy", "halted": "bad", "done": "good"}
        return badge(obj.get_state_display().capitalize(), tones[obj.state], obj.reason)

    @display(description=_("Started"), ordering="created")
    def begun(self, obj: UpdateCampaign) -> str:
        return relative_time(obj.created)
