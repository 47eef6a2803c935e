"""Limits of metrics, and maintenance windows."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import RuleAdmin, ScopedRelatedFilter, badge, display
from controller.monitoring.models import Silence, Threshold
from controller.monitoring.rules import limits, silences

SILENCE_HOURS = 8


@admin.register(Threshold)
class ThresholdAdmin(RuleAdmin):
    empty_hint = _(
        "Every metric has its usual limit. Add one here to change it for all devices, an organization, a group or one device."
    )
    resource = "monitoring"
    list_display = ["metric", "side", "tolerance", "applies_to", "enabled"]
    list_filter = ["metric", ("organization", ScopedRelatedFilter)]
    create_rule = staticmethod(limits.create_threshold)
    update_rule = staticmethod(limits.update_threshold)
    delete_rule = staticmethod(limits.delete_threshold)
    autocomplete_fields = ["device"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("organization", "group", "device")

    @display(description=_("Limit"), ordering="value")
    def side(self, obj: Threshold) -> str:
        return f"{obj.operator} {obj.value:g}"

    @display(description=_("Tolerance"), ordering="minutes")
    def tolerance(self, obj: Threshold) -> str:
        return gettext("%(minutes)s min") % {"minutes": obj.minutes}

    @display(description=_("Applies to"))
    def applies_to(self, obj: Threshold) -> str:
        return str(obj.device) if obj.device else obj.source


@admin.register(Silence)
class SilenceAdmin(RuleAdmin):
    empty_hint = _(
        "During a silence, checks continue and problems are shown, but nobody is notified."
    )
    resource = "monitoring"
    list_display = ["reason", "state", "applies_to", "metric", "starts", "ends"]
    list_filter = ["metric", ("organization", ScopedRelatedFilter)]
    create_rule = staticmethod(silences.create_silence)
    update_rule = staticmethod(silences.update_silence)
    delete_rule = staticmethod(silences.delete_silence)
    autocomplete_fields = ["device"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.select_related("organization", "site", "group", "device")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        ends = timezone.now() + timedelta(hours=SILENCE_HOURS)
        return {"ends": ends} | super().get_changeform_initial_data(request)

    @display(description=_("State"))
    def state(self, obj: Silence) -> str:
        now = timezone.now()
        if obj.ends <= now:
            return badge(gettext("Over"), "mute")
        return (
            badge(gettext("In force"), "busy")
            if obj.starts <= now
            else badge(gettext("Planned"), "mute")
        )

    @display(description=_("Applies to"))
    def applies_to(self, obj: Silence) -> str:
        found = obj.device or obj.group or obj.site or obj.organization
        return str(found)
