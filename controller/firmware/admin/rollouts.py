"""Admin of firmware rollouts: who is reached, progress, and state changes."""

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
from controller.devices.admin.badges import relative_time
from controller.devices.models import Device
from controller.firmware.admin.upgrades import row_of
from controller.firmware.engine.options import FLAGS
from controller.firmware.models import Build, FirmwareRollout, Upgrade
from controller.firmware.rules import rollouts

State = FirmwareRollout.State
Of = Upgrade.State
TONES: dict[str, str] = {
    State.DRAFT: "mute", State.RUNNING: "busy", State.PAUSED: "warn", State.DONE: "good",
    State.HALTED: "bad", State.STOPPED: "mute",
}  # fmt: skip
VERBS: dict[str, Any] = {
    "start": rollouts.start,
    "pause": rollouts.pause,
    "resume": rollouts.resume,
    "stop": rollouts.stop,
}
PARTS: list[tuple[tuple[str, ...], str, str]] = [
    ((Of.CONFIRMED,), "Installed", "good"), ((Of.FAILED, Of.ABORTED), "Failed", "bad"),
    ((Of.UNKNOWN,), "Unknown", "bad"), (tuple(Upgrade.BEFORE), "Being prepared", "busy"),
    ((Of.FLASHING, Of.AWAY, Of.BACK), "Flashing", "busy"),
    ((Of.LEFT, Of.CANCELLED), "Left out", "mute"), ((Of.WAITING,), "In later waves", "faint"),
]  # fmt: skip
MOST_SHOWN = 200
WORST_FIRST = (Of.UNKNOWN, Of.FAILED, Of.ABORTED, Of.LEFT)


class RolloutForm(RuleForm):
    waves = forms.CharField(
        initial="1, 10%, 100%", widget=UnfoldAdminTextInputWidget,
        help_text="Devices or shares of all, with commas between: 1, 10%, 100%.",
    )  # fmt: skip
    flags = forms.MultipleChoiceField(
        label="Options", required=False, choices=list(FLAGS.items()),
        widget=forms.CheckboxSelectMultiple,
        help_text="Without any, the settings that the devices name themselves are kept.",
    )  # fmt: skip

    class Meta:
        model = FirmwareRollout
        fields = [
            "build", "group", "location", "upgrade_all", "waves", "pause", "allowed",
            "is_persistent", "window",
        ]  # fmt: skip
        labels = {"pause": "Seconds for each wave", "allowed": "Percent that may fail"}

    def clean_build(self) -> Build:
        build: Build = self.cleaned_data["build"]
        if not type(self).may_in(build.owner_id):
            raise forms.ValidationError("Your role there does not permit upgrades.")
        return build

    def clean_waves(self) -> list[str]:
        try:
            return waves.parse(self.cleaned_data["waves"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def rule_values(self) -> dict[str, Any]:
        values = super().rule_values()
        chosen = dict.fromkeys(values.pop("flags"), True)
        return values | {"options": chosen, "author": self.user}

    user: Any = None  # set by the admin


@admin.register(FirmwareRollout)
class FirmwareRolloutAdmin(RuleAdmin):
    empty_hint = "A rollout upgrades many devices to a build, a few first."
    resource = "firmware"
    form = RolloutForm
    create_rule = rollouts.create_rollout
    delete_rule = rollouts.discard
    list_display = ["name", "owner", "status", "begun", "over"]
    list_filter = [("organization", ScopedRelatedFilter), ("state", ChoicesDropdownFilter)]
    list_select_related = ["build__category", "organization"]
    search_fields = ["build__version", "build__category__name"]
    change_form_template = "admin/firmware/rollout/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.select_related("build__category", "organization", "group", "location")

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form, user = super().get_form(request, obj, **kwargs), request.user
        may_in = staticmethod(lambda owner: user.has_perm_in("firmware:upgrade", owner))  # type: ignore[union-attr]
        return type(form.__name__, (form,), {"may_in": may_in})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj:
            return []
        return [
            "build", ("group", "location"), "upgrade_all", "flags", "waves",
            ("pause", "allowed"), "is_persistent", "window",
        ]  # fmt: skip

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "upgrade")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and self.may(request, "upgrade")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        rests = obj is None or obj.state not in FirmwareRollout.ACTIVE
        return rests and self.may(request, "upgrade", obj)

    @display(description="Build")
    def name(self, obj: FirmwareRollout) -> str:
        return str(obj.build)

    @display(description="Organization", ordering="organization__name")
    def owner(self, obj: FirmwareRollout) -> str:
        return str(obj.organization) if obj.organization else badge("All", "busy")

    @display(description="State", ordering="state")
    def status(self, obj: FirmwareRollout) -> str:
        return badge(obj.get_state_display(), TONES[obj.state], obj.reason)

    @display(description="Started", ordering="started")
    def begun(self, obj: FirmwareRollout) -> str:
        return relative_time(obj.started) if obj.started else "-"

    @display(description="Ended", ordering="ended")
    def over(self, obj: FirmwareRollout) -> str:
        return relative_time(obj.ended) if obj.ended else "-"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        name = "firmware_firmwarerollout"
        return [
            path("<uuid:pk>/progress/", view(self.progress), name=f"{name}_progress"),
            path("<uuid:pk>/move/", view(require_POST(self.move)), name=f"{name}_move"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        rollout = kw.get("obj")
        if rollout is not None:
            context |= self.page_of(request, rollout)
        return super().render_change_form(request, context, *args, **kw)

    def page_of(self, request: HttpRequest, rollout: FirmwareRollout) -> dict[str, Any]:
        is_draft = rollout.state == State.DRAFT
        return {
            "rollout": rollout,
            "status": self.status(rollout),
            "begun": self.begun(rollout),
            "over": self.over(rollout),
            "moves": self.may(request, "upgrade", rollout),
            "is_draft": is_draft,
            "is_active": rollout.state in FirmwareRollout.ACTIVE,
            "wave_shown": rollout.wave + 1,
            "chosen": [FLAGS[one] for one in rollout.options if one in FLAGS],
        } | (self.forecast(request, rollout) if is_draft else self.results(request, rollout))

    def forecast(self, request: HttpRequest, rollout: FirmwareRollout) -> dict[str, Any]:
        """Return who would be reached, and who not and why."""
        mine = set(Device.objects.visible_to(request.user).values_list("pk", flat=True))
        found = [one for one in rollouts.candidates(rollout) if one.device.pk in mine]
        rows = [
            {
                "device": one.device,
                "link": admin_url(Device, "change", one.device.pk),
                "image": one.image,
                "reasons": " ".join(why.text for why in one.reasons),
            }
            for one in found
        ]
        reached = [row for row in rows if not row["reasons"]]
        left = [row for row in rows if row["reasons"]]
        return {
            "reached": reached[:MOST_SHOWN],
            "reached_count": len(reached),
            "left": left[:MOST_SHOWN],
            "left_count": len(left),
        }

    def results(self, request: HttpRequest, rollout: FirmwareRollout) -> dict[str, Any]:
        mine = Upgrade.objects.visible_to(request.user).filter(rollout=rollout)
        found = rollouts.by_wave(rollout)
        every = f"{admin_url(Upgrade, 'changelist')}?rollout__id__exact={rollout.pk}"
        parts = [
            {
                "label": label,
                "count": sum(row.get(state, 0) for row in found for state in states),
                "tone": tone,
                "link": every,
            }
            for states, label, tone in PARTS
        ]
        rows = list(mine.select_related("device").order_by("wave", "device__name"))
        rows.sort(key=lambda row: row.state not in WORST_FIRST)
        return {
            "per_wave": [
                {
                    "wave": row["wave"],
                    "total": row["total"],
                    "counts": [sum(row.get(one, 0) for one in states) for states, *_ in PARTS],
                }
                for row in found
            ],
            "labels": [label for _, label, _ in PARTS],
            "card": stacked_bar(parts),
            "rows": [row_of(row) for row in rows[:MOST_SHOWN]],
        }

    def progress(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Return the part of the page that is refreshed."""
        rollout = self.row_for(request, str(pk), "read")
        return render(request, "portal/firmware_rollout.html", self.page_of(request, rollout))

    def move(self, request: HttpRequest, pk: Any) -> HttpResponse:
        rollout = self.row_for(request, str(pk), "upgrade")
        verb = request.POST.get("verb", "")
        try:
            if verb in VERBS:
                VERBS[verb](rollout)
        except Refused as error:
            self.message_user(request, str(error), "error")
        return HttpResponseRedirect(admin_url(FirmwareRollout, "change", rollout.pk))
