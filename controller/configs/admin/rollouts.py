"""Admin of rollouts: preview, progress, and state changes."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_POST

from controller.base.admin import (
    ChoicesDropdownFilter,
    RuleAdmin,
    RuleForm,
    ScopedRelatedFilter,
    UnfoldAdminTextInputWidget,
    admin_url,
    badge,
    display,
    stacked_bar,
)
from controller.base.errors import Refused
from controller.configs.engine import waves
from controller.configs.models import Rollout
from controller.configs.rules import rollouts as rules
from controller.devices.admin.badges import presence_badge, relative_time, status_badge
from controller.devices.models import Device

TONES = {
    Rollout.State.DRAFT: "mute",
    Rollout.State.RUNNING: "busy",
    Rollout.State.PAUSED: "warn",
    Rollout.State.DONE: "good",
    Rollout.State.HALTED: "bad",
    Rollout.State.ROLLED_BACK: "mute",
}
VERBS = {
    "start": rules.start,
    "pause": rules.pause,
    "resume": rules.resume,
    "roll-back": rules.roll_back,
}
PARTS = [
    ("taken", "Have it", "good"), ("failed", "Refused it", "bad"),
    ("gone", "Offline since", "bad"), ("waiting", "Not yet", "busy"),
    ("left_out", "Away or in error before", "mute"), ("later", "In later waves", "faint"),
]  # fmt: skip
NAMED_MOST = 50


class RolloutForm(RuleForm):
    waves = forms.CharField(
        widget=UnfoldAdminTextInputWidget,
        help_text="Devices or shares of all, with commas between: 1, 10%, 100%.",
    )

    class Meta:
        model = Rollout
        fields = ["waves", "pause", "allowed"]
        labels = {"pause": "Seconds for each wave", "allowed": "Percent that may fail"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["waves"] = ", ".join(self.instance.waves)

    def clean_waves(self) -> list[str]:
        try:
            return waves.parse(self.cleaned_data["waves"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(Rollout)
class RolloutAdmin(RuleAdmin):
    empty_hint = "A rollout applies a template's new version to a few devices first. Start one on the template's page."
    resource = "template"
    form = RolloutForm
    update_rule = rules.adjust
    delete_rule = rules.discard
    list_display = ["name", "owner", "status", "begun", "over"]
    list_filter = [
        ("template__organization", ScopedRelatedFilter), ("state", ChoicesDropdownFilter),
    ]  # fmt: skip
    list_select_related = ["template__organization"]
    search_fields = ["template__name"]
    change_form_template = "admin/configs/rollout/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("template__organization")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_draft = obj is None or obj.state == Rollout.State.DRAFT
        return is_draft and self.may(request, "update", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        rests = obj is None or obj.state not in Rollout.ACTIVE
        return rests and self.may(request, "update", obj)

    @display(description="Template", ordering="template__name")
    def name(self, obj: Rollout) -> str:
        return obj.template.name

    @display(description="Organization", ordering="template__organization__name")
    def owner(self, obj: Rollout) -> str:
        shared = badge("Shared", "busy")
        return str(obj.template.organization) if obj.template.organization else shared

    @display(description="State", ordering="state")
    def status(self, obj: Rollout) -> str:
        return badge(obj.get_state_display(), TONES[Rollout.State(obj.state)], obj.reason)

    @display(description="Started", ordering="started")
    def begun(self, obj: Rollout) -> str:
        return relative_time(obj.started) if obj.started else "-"

    @display(description="Ended", ordering="ended")
    def over(self, obj: Rollout) -> str:
        return relative_time(obj.ended) if obj.ended else "-"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        name = "configs_rollout"
        return [
            path("<uuid:pk>/progress/", view(self.progress), name=f"{name}_progress"),
            *(
                path(
                    f"<uuid:pk>/{verb}/",
                    view(require_POST(self.move)),
                    {"verb": verb},
                    name=f"{name}_{verb}",
                )
                for verb in VERBS
            ),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        rollout = kw.get("obj")
        if rollout is not None:
            context |= self.page_of(request, rollout)
        return super().render_change_form(request, context, *args, **kw)

    def page_of(self, request: HttpRequest, rollout: Rollout) -> dict[str, Any]:
        found = rules.by_wave(rollout) if rollout.state != Rollout.State.DRAFT else []
        for row in found:
            row["later"] = row["total"] - row["reached"]
        every = f"{admin_url(Device, 'changelist')}?template={rollout.template_id}"
        return {
            "rollout": rollout,
            "status": self.status(rollout),
            "begun": self.begun(rollout),
            "over": self.over(rollout),
            "moves": self.may(request, "update", rollout),
            "is_draft": rollout.state == Rollout.State.DRAFT,
            "is_active": rollout.state in Rollout.ACTIVE,
            "affected": rollout.template.uses.count(),
            "wave_shown": rollout.wave + 1,
            "per_wave": found,
            "card": stacked_bar(
                [
                    {
                        "label": label,
                        "count": sum(row[key] for row in found),
                        "tone": tone,
                        "link": every,
                    }
                    for key, label, tone in PARTS
                ]
            ),
            "troubles": self.troubles(request, rollout),
        }

    def troubles(self, request: HttpRequest, rollout: Rollout) -> list[dict[str, Any]]:
        """Return failed or offline devices of the rollout that the user may see."""
        if rollout.state not in Rollout.ACTIVE:
            return []
        mine = Device.objects.visible_to(request.user)
        rows = (
            rules.released(rollout)
            .annotate(how=rules.HOW)
            .filter(how__in=["failed", "gone"], config__device__in=mine)
            .select_related("config__device__presence")[:NAMED_MOST]
        )
        return [
            {
                "device": row.config.device,
                "link": admin_url(Device, "change", row.config.device_id),
                "presence": presence_badge(row.config.device),
                "status": status_badge(row.config),
                "reason": row.config.render_error or row.config.error_reason,
            }
            for row in rows
        ]

    def progress(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Return the part of the page that is refreshed."""
        rollout = self.row_for(request, str(pk), "read")
        return render(request, "portal/rollout.html", self.page_of(request, rollout))

    def move(self, request: HttpRequest, pk: Any, verb: str) -> HttpResponse:
        rollout = self.row_for(request, str(pk), "update")
        try:
            VERBS[verb](rollout)
        except Refused as error:
            self.message_user(request, str(error), "error")
        return HttpResponseRedirect(admin_url(Rollout, "change", rollout.pk))
