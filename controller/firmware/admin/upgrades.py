"""Admin of upgrades: progress, log and actions."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from controller.base.admin import (
    ChoicesDropdownFilter,
    RecordAdmin,
    ScopedRelatedFilter,
    admin_url,
    badge,
    display,
)
from controller.base.errors import Refused
from controller.devices.admin.badges import relative_time
from controller.devices.models import Device
from controller.firmware.engine.openwisp_words import PROGRESS
from controller.firmware.engine.options import parse
from controller.firmware.models import Upgrade
from controller.firmware.rules import host_keys, upgrades
from controller.firmware.rules.approvals import approve_upgrade

State = Upgrade.State
TONES: dict[str, str] = {
    State.CONFIRMED: "good", State.FAILED: "bad", State.UNKNOWN: "warn", State.ABORTED: "bad",
    State.CANCELLED: "mute", State.LEFT: "mute", State.WAITING: "mute",
    State.PROPOSED: "warn",
}  # fmt: skip
RETRIED = {State.FAILED, State.ABORTED, State.CANCELLED}
VERBS: dict[str, Any] = {
    "cancel": upgrades.cancel,
    "ask": upgrades.ask_now,
    "give-up": upgrades.give_up,
    "replaced": upgrades.replaced,
    "accept-key": host_keys.accept_host_key,
}


# They forget the host key of the device's connections.
HOST_KEY_VERBS = {"replaced", "accept-key"}


def state_badge(row: Upgrade) -> str:
    return badge(row.state_label, TONES.get(row.state, "busy"), row.reason)


def row_of(row: Upgrade) -> dict[str, Any]:
    """Return what tables of upgrades show."""
    return {
        "row": row,
        "link": admin_url(Upgrade, "change", row.pk),
        "device_link": admin_url(Device, "change", row.device_id),
        "state": state_badge(row),
        "progress": PROGRESS[row.state],
        "ago": relative_time(row.modified),
    }


@admin.register(Upgrade)
class UpgradeAdmin(RecordAdmin):
    empty_hint = _("Upgrades start on the page of a device, or with the rollout of a build.")
    resource = "firmware"
    list_display = ["device", "image_name", "status", "reason", "changed"]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("device__organization", ScopedRelatedFilter),
    ]
    list_select_related = ["device"]
    search_fields = ["device__name", "image_name"]
    change_form_template = "admin/firmware/upgrade/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("device", "rollout__build")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # The template shows everything.
        return []

    @display(description=_("State"), ordering="state")
    def status(self, obj: Upgrade) -> str:
        return state_badge(obj)

    @display(description=_("Changed"), ordering="modified")
    def changed(self, obj: Upgrade) -> str:
        return relative_time(obj.modified)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        name = "firmware_upgrade"
        return [
            path("<uuid:pk>/progress/", view(self.progress), name=f"{name}_progress"),
            path("<uuid:pk>/move/", view(require_POST(self.move)), name=f"{name}_move"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        context |= self.page_of(request, kw["obj"])
        return super().render_change_form(request, context, *args, **kw)

    def page_of(self, request: HttpRequest, upgrade: Upgrade) -> dict[str, Any]:
        moves = self.may(request, "upgrade", upgrade)
        return row_of(upgrade) | {
            "upgrade": upgrade,
            "may_cancel": moves and upgrade.may_be_cancelled,
            "may_ask": moves and upgrade.is_open,
            "may_give_up": moves and upgrade.state == State.UNKNOWN,
            "may_accept_key": moves
            and upgrade.sent
            and upgrade.is_open
            and parse(upgrade.options).resets,
            "may_approve": moves
            and upgrade.state == State.PROPOSED
            and upgrade.author_id != request.user.pk,
            "may_retry": moves and upgrade.state in RETRIED and upgrade.image_id,
        }

    def may_trust(self, request: HttpRequest, upgrade: Upgrade) -> bool:
        """Return whether the user may decide which host key the device has."""
        user: Any = request.user
        return bool(user.has_perm_on("connection:update", upgrade.device))

    def progress(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Return the part of the page that is refreshed."""
        upgrade = self.row_for(request, str(pk), "read")
        return render(request, "portal/upgrade.html", self.page_of(request, upgrade))

    def move(self, request: HttpRequest, pk: Any) -> HttpResponse:
        upgrade = self.row_for(request, str(pk), "upgrade")
        verb = request.POST.get("verb", "")
        if verb in HOST_KEY_VERBS and not self.may_trust(request, upgrade):
            raise PermissionDenied
        try:
            if verb == "retry":
                upgrade = upgrades.retry(upgrade, author=request.user)  # type: ignore[arg-type]
            elif verb == "approve":
                approve_upgrade(upgrade, by=request.user)  # type: ignore[arg-type]
            elif verb in VERBS:
                VERBS[verb](upgrade)
        except Refused as error:
            self.message_user(request, str(error), "error")
        return HttpResponseRedirect(admin_url(Upgrade, "change", upgrade.pk))
