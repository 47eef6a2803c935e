"""Admin pages of rollouts of every kind: waves in the form, progress, and state changes."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.base.admin import (
    RuleAdmin,
    RuleForm,
    UnfoldAdminTextInputWidget,
    admin_url,
    badge,
    display,
)
from controller.base.errors import Refused
from controller.configs.engine import waves
from controller.configs.models.waves import WaveRollout
from controller.devices.admin.badges import relative_time

State = WaveRollout.State
TONES: dict[str, str] = {
    State.DRAFT: "mute", State.RUNNING: "busy", State.PAUSED: "warn", State.DONE: "good",
    State.HALTED: "bad", State.STOPPED: "mute", State.ROLLED_BACK: "mute",
}  # fmt: skip
LABELS = {"pause": _("Seconds for each wave"), "allowed": _("Percent that may fail")}


class WaveForm(RuleForm):
    """Form with the waves as one line of text."""

    waves = forms.CharField(
        widget=UnfoldAdminTextInputWidget,
        help_text=_(
            "Number or share of devices in each wave, separated by commas, such as 1, 10%, 100%."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("waves", "")
        self.initial["waves"] = ", ".join(self.instance.waves)

    def clean_waves(self) -> list[str]:
        try:
            return waves.parse(self.cleaned_data["waves"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class WaveAdmin(RuleAdmin):
    """Rollouts: a page that refreshes itself, and buttons that move them."""

    verbs: ClassVar[Mapping[str, Callable[..., Any]]]
    move_action: ClassVar[str] = "update"
    progress_template: ClassVar[str]

    @display(description=_("State"), ordering="state")
    def status(self, obj: Any) -> str:
        return badge(obj.get_state_display(), TONES[obj.state], obj.reason)

    @display(description=_("Started"), ordering="started")
    def begun(self, obj: Any) -> str:
        return relative_time(obj.started) if obj.started else "-"

    @display(description=_("Ended"), ordering="ended")
    def over(self, obj: Any) -> str:
        return relative_time(obj.ended) if obj.ended else "-"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        rests = obj is None or not obj.is_active
        return rests and self.may(request, self.move_action, obj)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        name = f"{self.opts.app_label}_{self.opts.model_name}"
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

    def page_of(self, request: HttpRequest, rollout: Any) -> dict[str, Any]:
        """Return the context of the part of the page that is refreshed."""
        return {
            "rollout": rollout,
            "status": self.status(rollout),
            "begun": self.begun(rollout),
            "over": self.over(rollout),
            "moves": self.may(request, self.move_action, rollout),
            "is_draft": rollout.is_draft,
            "is_active": rollout.is_active,
            "wave_shown": rollout.wave + 1,
        }

    def progress(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Return the part of the page that is refreshed."""
        rollout = self.row_for(request, str(pk), "read")
        return render(request, self.progress_template, self.page_of(request, rollout))

    def move(self, request: HttpRequest, pk: Any) -> HttpResponse:
        rollout = self.row_for(request, str(pk), self.move_action)
        do = self.verbs.get(request.POST.get("verb", ""))
        try:
            if do is not None:
                self.carry_out(request, rollout, do)
        except Refused as error:
            self.message_user(request, str(error), "error")
        return HttpResponseRedirect(admin_url(self.model, "change", rollout.pk))

    def carry_out(self, request: HttpRequest, rollout: Any, do: Callable[..., Any]) -> None:
        do(rollout)
