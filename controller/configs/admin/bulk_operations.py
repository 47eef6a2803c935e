"""Admin of bulk operations: preview, start, progress."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Case, F, IntegerField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.base.admin import (
    ChoicesDropdownFilter,
    ScopedAdmin,
    ScopedRelatedFilter,
    UnfoldAdminSelectWidget,
    admin_url,
    badge,
    display,
    stacked_bar,
)
from controller.base.errors import Refused
from controller.configs.models import DeviceBatch, DeviceBatchRow
from controller.configs.rules import bulk_operations as rules
from controller.configs.rules.bulk_actions import BULK_ACTIONS, BulkAction
from controller.devices.admin.badges import relative_time
from controller.devices.admin.exclusions import NAMED_MOST, group_by_reason
from controller.devices.models import Device

State, RowState = DeviceBatch.State, DeviceBatchRow.State
TONES = {State.DRAFT: "mute", State.RUNNING: "busy", State.DONE: "good", State.STOPPED: "warn"}
ROW_TONES = {
    RowState.REFUSED: "bad", RowState.WAITING: "busy", RowState.LEFT: "mute",
    RowState.DONE: "good",
}  # fmt: skip
# The page shows this many rows, failures first.
SHOWN = 200


class ChooseForm(forms.Form):
    chosen = forms.ModelChoiceField(DeviceBatch.objects.none(), widget=UnfoldAdminSelectWidget)

    def __init__(
        self, *args: Any, batch: DeviceBatch, action: BulkAction, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        assert batch.user is not None  # noqa: S101 - whoever sees the form made it
        field: Any = self.fields["chosen"]
        field.label, field.queryset = action.asks.capitalize(), rules.choices(batch, batch.user)
        if action.asks == "group":
            field.required, field.empty_label = False, gettext("No group")
        several = batch.organization_id is None
        field.label_from_instance = lambda row: (
            f"{row} ({row.organization or 'shared'})" if several else str(row)
        )
        self.initial["chosen"] = batch.values.get(action.asks)


@admin.register(DeviceBatch)
class DeviceBatchAdmin(ScopedAdmin):
    empty_hint = _(
        "Select devices in their list and choose an action. A draft shows its effect before anything changes."
    )
    resource = "device"
    list_display = ["title", "owner", "user", "status", "progress", "begun"]
    list_filter = [("state", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter),
                   ("organization", ScopedRelatedFilter)]  # fmt: skip
    list_select_related = ["organization", "user"]
    search_fields = ["title", "rows__name"]
    search_help_text = _("Action, or name of a device")
    change_form_template = "admin/configs/devicebatch/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request).select_related("organization", "user")
        return rows.counted()

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        """Permit starting, stopping and discarding to the operation's author only."""
        user: Any = request.user
        own = obj is None or obj.user_id == user.pk
        return user.is_active and verb in {"read", "delete"} and (own or verb == "read")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # --- list

    @display(description=_("Organization"), ordering="organization__name")
    def owner(self, obj: DeviceBatch) -> str:
        return str(obj.organization or "several")

    @display(description=_("State"), ordering="state")
    def status(self, obj: DeviceBatch) -> str:
        return badge(obj.get_state_display(), TONES[State(obj.state)])

    @display(description=_("Progress"))
    def progress(self, obj: Any) -> str:
        if obj.state == State.DRAFT:
            return gettext("%(total)s devices") % {"total": obj.total}
        asked = obj.total - obj.left
        refused = f", {obj.refused} refused" if obj.refused else ""
        tone = "busy" if obj.waiting else "bad" if obj.refused else "good"
        return badge(f"{asked - obj.waiting} of {asked}{refused}", tone)

    @display(description=_("Started"), ordering="created")
    def begun(self, obj: DeviceBatch) -> str:
        return relative_time(obj.created)

    # --- page

    def get_urls(self) -> list[Any]:
        view, name = self.admin_site.admin_view, "configs_devicebatch"
        post = [(verb, getattr(self, verb)) for verb in ("choose", "start", "stop", "discard")]
        return [
            path("<uuid:pk>/results/", view(self.results), name=f"{name}_results"),
            path("<uuid:pk>/forecast/", view(self.forecast), name=f"{name}_forecast"),
            *(
                path(f"<uuid:pk>/{verb}/", view(require_POST(act)), name=f"{name}_{verb}")
                for verb, act in post
            ),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        batch = kw.get("obj")
        if batch is not None:
            shown = self.draft if batch.state == State.DRAFT else self.under_way
            context |= {"title": batch.title} | shown(request, batch)
        return super().render_change_form(request, context, *args, **kw)

    def draft(self, request: HttpRequest, batch: DeviceBatch) -> dict[str, Any]:
        action = BULK_ACTIONS[batch.kind]
        own = self.may(request, "delete", batch)
        try:
            found, is_chosen = rules.eligibilities(batch), rules.target_of(batch).is_chosen
        except Refused as refusal:
            self.message_user(request, str(refusal), "error")
            found, is_chosen = [], False
        accepted = [one.row for one in found if not one.reason]
        left: dict[str, list[str]] = defaultdict(list)
        for one in found:
            if one.reason:
                left[one.reason].append(one.row.name)
        return {
            "batch": batch,
            "action": action,
            "is_own": own,
            "is_chosen": is_chosen,
            "form": ChooseForm(batch=batch, action=action) if own and action.asks else None,
            "accepted": accepted[:NAMED_MOST],
            "count": len(accepted),
            "total": len(found),
            "more": max(0, len(accepted) - NAMED_MOST),
            "left": group_by_reason(left),
            "shows_forecast": action.changes_configurations and is_chosen and accepted and own,
        }

    def under_way(self, request: HttpRequest, batch: Any) -> dict[str, Any]:
        """Return rows and counts for the part of the page that is refreshed."""
        worst = Case(
            *(When(state=state, then=Value(at)) for at, state in enumerate(ROW_TONES)),
            output_field=IntegerField(),
        )
        rows = list(batch.rows.order_by(worst, F("ended").desc(nulls_last=True), "pk")[:SHOWN])
        here = admin_url(DeviceBatch, "change", batch.pk)
        counts = [(state, getattr(batch, state)) for state in ROW_TONES]
        return {
            "batch": batch,
            "heading": batch.title,
            "about": f"{self.owner(batch)} · by {batch.user or gettext('a deleted user')}",
            "waits": batch.waiting if batch.state == State.RUNNING else 0,
            "total": batch.total - batch.left,
            "stops": batch.state == State.RUNNING and self.may(request, "delete", batch),
            "status": self.status(batch),
            "said": gettext("Message"),
            "card": stacked_bar([
                {"label": state.label, "count": count, "tone": ROW_TONES[state], "link": here}
                for state, count in counts
            ]),
            "rows": [
                {
                    "name": row.name,
                    "link": admin_url(Device, "change", row.device_id) if row.device_id else "",
                    "state": badge(row.get_state_display(), ROW_TONES[RowState(row.state)]),
                    "last": row.reason,
                }
                for row in rows
            ],
            "more": max(0, batch.total - SHOWN),
        }  # fmt: skip

    def results(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Return the part of the page that is refreshed."""
        batch = self.row_for(request, str(pk), "read")
        return render(request, "portal/batch.html", self.under_way(request, batch))

    def forecast(self, request: HttpRequest, pk: Any) -> JsonResponse:
        """Return the preview of changed files as JSON; for the operation's author."""
        batch = self.row_for(request, str(pk), "delete")
        try:
            return JsonResponse(asdict(rules.preview(batch)))
        except Refused as refusal:
            return JsonResponse({"error": str(refusal)}, status=400)

    # --- buttons

    def choose(self, request: HttpRequest, pk: Any) -> HttpResponse:
        batch = self.row_for(request, str(pk), "delete")
        form = ChooseForm(request.POST, batch=batch, action=BULK_ACTIONS[batch.kind])
        if not form.is_valid():
            self.message_user(
                request,
                gettext("Choose a %(asks)s of the list.")
                % {"asks": BULK_ACTIONS[batch.kind].asks},
                "error",
            )
            return self.back(batch)
        return self.done(
            request, batch, lambda: rules.set_target(batch, form.cleaned_data["chosen"])
        )

    def start(self, request: HttpRequest, pk: Any) -> HttpResponse:
        batch = self.row_for(request, str(pk), "delete")
        shown, typed = request.POST.get("count", ""), request.POST.get("typed")
        if BULK_ACTIONS[batch.kind].is_dangerous and typed != shown:
            self.message_user(
                request,
                gettext("To confirm, type the number of devices: %(shown)s.")
                % {"shown": shown},
                "error",
            )
            return self.back(batch)
        number = int(shown) if shown.isdecimal() else -1
        return self.done(request, batch, lambda: rules.start(batch, shown=number))

    def stop(self, request: HttpRequest, pk: Any) -> HttpResponse:
        batch = self.row_for(request, str(pk), "delete")
        return self.done(request, batch, lambda: rules.stop(batch))

    def discard(self, request: HttpRequest, pk: Any) -> HttpResponse:
        batch = self.row_for(request, str(pk), "delete")
        try:
            rules.discard(batch)
        except Refused as refusal:
            self.message_user(request, str(refusal), "error")
            return self.back(batch)
        return HttpResponseRedirect(admin_url(Device, "changelist"))

    def done(
        self, request: HttpRequest, batch: DeviceBatch, rule: Callable[[], Any]
    ) -> HttpResponse:
        try:
            rule()
        except Refused as refusal:
            self.message_user(request, str(refusal), "error")
        return self.back(batch)

    def back(self, batch: DeviceBatch) -> HttpResponse:
        return HttpResponseRedirect(admin_url(DeviceBatch, "change", batch.pk))
