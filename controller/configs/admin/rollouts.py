"""Admin of rollouts: preview, progress, and state changes."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import (
    ChoicesDropdownFilter,
    ScopedRelatedFilter,
    admin_url,
    badge,
    display,
    stacked_bar,
)
from controller.configs.admin.waves import LABELS, WaveAdmin, WaveForm
from controller.configs.models import Rollout
from controller.configs.rules import rollouts as rules
from controller.devices.admin.badges import presence_badge, status_badge
from controller.devices.models import Device

VERBS: dict[str, Any] = {
    "start": rules.start,
    "pause": rules.pause,
    "resume": rules.resume,
    "roll-back": rules.roll_back,
}
PARTS = [
    ("taken", _("Have it"), "good"), ("failed", _("Refused it"), "bad"),
    ("gone", _("Offline since"), "bad"), ("waiting", _("Not yet"), "busy"),
    ("left_out", _("Away or in error before"), "mute"), ("later", _("In later waves"), "faint"),
]  # fmt: skip
NAMED_MOST = 50


class RolloutForm(WaveForm):
    class Meta:
        model = Rollout
        fields = ["waves", "pause", "allowed"]
        labels = LABELS


@admin.register(Rollout)
class RolloutAdmin(WaveAdmin):
    empty_hint = _(
        "A rollout applies a template's new version to a few devices first. Start one on the template's page."
    )
    resource = "template"
    verbs = VERBS
    progress_template = "portal/rollout.html"
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
        return (obj is None or obj.is_draft) and self.may(request, "update", obj)

    @display(description=_("Template"), ordering="template__name")
    def name(self, obj: Rollout) -> str:
        return obj.template.name

    @display(description=_("Organization"), ordering="template__organization__name")
    def owner(self, obj: Rollout) -> str:
        shared = badge(gettext("Shared"), "busy")
        return str(obj.template.organization) if obj.template.organization else shared

    def page_of(self, request: HttpRequest, rollout: Rollout) -> dict[str, Any]:
        found = rules.by_wave(rollout) if not rollout.is_draft else []
        for row in found:
            row["later"] = row["total"] - row["reached"]
        every = f"{admin_url(Device, 'changelist')}?template={rollout.template_id}"
        return super().page_of(request, rollout) | {
            "affected": rollout.template.uses.count(),
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
