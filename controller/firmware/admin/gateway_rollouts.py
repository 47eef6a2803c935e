"""Admin of firmware rollouts of vendors' gateways."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from controller.base.admin import (
    ChoicesDropdownFilter,
    ScopedRelatedFilter,
    admin_url,
    badge,
    display,
)
from controller.base.errors import Refused
from controller.configs.admin.waves import LABELS, WaveAdmin, WaveForm
from controller.firmware.models import GatewayRollout, GatewayUpgrade
from controller.firmware.rules import gateway_rollouts as rules
from networks.gateways.models import Change, Gateway

Of = GatewayUpgrade.State
TONES: dict[str, str] = {
    Of.WAITING: "mute", Of.ASKED: "warn", Of.QUEUED: "busy", Of.AWAY: "busy", Of.DONE: "good",
    Of.FAILED: "bad", Of.UNKNOWN: "warn", Of.LEFT: "mute",
}  # fmt: skip
VERBS: dict[str, Any] = {
    "start": rules.start, "pause": rules.pause, "resume": rules.resume, "stop": rules.stop,
}  # fmt: skip
MOST_SHOWN = 200


class GatewayRolloutForm(WaveForm):
    class Meta:
        model = GatewayRollout
        fields = ["organization", "vendor", "targets", "waves", "pause", "allowed"]
        labels = LABELS

    def rule_values(self) -> dict[str, Any]:
        return super().rule_values() | {"author": self.user}

    user: Any = None  # set by the admin


@admin.register(GatewayRollout)
class GatewayRolloutAdmin(WaveAdmin):
    empty_hint = _(
        "A rollout updates RouterOS, OPNsense, UniFi or Omada gateways, a few first."
    )
    resource = "firmware"
    verbs = VERBS
    move_action = "upgrade"
    progress_template = "portal/gateway_rollout.html"
    form = GatewayRolloutForm
    create_rule = rules.create
    delete_rule = rules.discard
    list_display = ["name", "organization", "status", "begun", "over"]
    list_filter = [("organization", ScopedRelatedFilter), ("state", ChoicesDropdownFilter)]
    list_select_related = ["organization"]
    search_fields = ["targets"]
    change_form_template = "admin/firmware/gatewayrollout/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("organization", "author")

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form, user = super().get_form(request, obj, **kwargs), request.user
        may_in = staticmethod(lambda owner: user.has_perm_in("firmware:upgrade", owner))  # type: ignore[union-attr]
        return type(form.__name__, (form,), {"may_in": may_in})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj else [
            "organization", "vendor", "targets", "waves", ("pause", "allowed"),
        ]  # fmt: skip

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "upgrade")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and self.may(request, "upgrade")

    @display(description=_("Firmware of"))
    def name(self, obj: GatewayRollout) -> str:
        return obj.get_vendor_display()

    def page_of(self, request: HttpRequest, rollout: Any) -> dict[str, Any]:
        mine = Gateway.objects.visible_to(request.user)
        rows = rollout.upgrades.filter(gateway__in=mine).select_related("gateway")
        return super().page_of(request, rollout) | {
            "targets": self.targets(rollout) if rollout.is_draft else [],
            "rows": [
                {
                    "row": row,
                    "state": badge(row.get_state_display(), TONES[row.state]),
                    "link": admin_url(Gateway, "change", row.gateway_id),
                    "change_link": row.change_id and admin_url(Change, "change", row.change_id),
                }
                for row in rows[:MOST_SHOWN]
            ],
        }

    def targets(self, rollout: GatewayRollout) -> list[str]:
        try:
            return [f"{one} {mac}".strip() for one, mac in rules.targets_of(rollout)]
        except Refused as error:
            return [str(error)]
