"""Filters of the device list."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import DropdownFilter
from controller.configs.models import Backend, Config, Template
from controller.devices.models import Presence
from controller.monitoring.engine.metrics import ABOUT, JUDGED
from controller.monitoring.models import Condition, MonitoredDevice

PROBLEM = (
    Q(config__status=Config.Status.ERROR)
    | Q(presence__state=Presence.State.OFFLINE)
    | Q(monitoring__health__in=[MonitoredDevice.State.PROBLEM, MonitoredDevice.State.CRITICAL])
)


class ShowFilter(DropdownFilter):
    title = _("what to show")
    parameter_name = "show"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("problems", gettext("Problems: offline, refused or not well")),
            ("drifted", gettext("Drifted: changed on the device")),
            ("service", gettext("In service")),
            ("deactivated", gettext("Deactivated")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = {
            "problems": PROBLEM & Q(is_deactivated=False),
            "drifted": Q(config__drifted_at__isnull=False, is_deactivated=False),
            "service": Q(is_deactivated=False),
            "deactivated": Q(is_deactivated=True),
        }.get(self.value() or "")
        return queryset.filter(wanted) if wanted is not None else queryset


class HealthFilter(DropdownFilter):
    title = _("health")
    parameter_name = "health"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(MonitoredDevice.State.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        if wanted not in MonitoredDevice.State.values:
            return queryset
        found = Q(monitoring__health=wanted)
        if wanted == MonitoredDevice.State.UNKNOWN:
            found |= Q(monitoring=None)
        return queryset.filter(found, is_deactivated=False)


class ConditionFilter(DropdownFilter):
    """Devices by what is beyond its limit."""

    title = _("condition")
    parameter_name = "condition"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(metric.value, gettext(ABOUT[metric].title)) for metric in JUDGED]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = self.value() in {key for key, _ in self.lookup_choices}
        if not known:
            return queryset
        rows = Condition.objects.filter(
            monitored__device=OuterRef("pk"), metric=self.value(), ended=None, is_shown=True
        )
        return queryset.filter(Exists(rows), is_deactivated=False)


class PresenceFilter(DropdownFilter):
    title = _("presence")
    parameter_name = "presence"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Presence.State.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in Presence.State.values:
            return queryset
        return queryset.filter(presence__state=self.value(), is_deactivated=False)


class ConfigFilter(DropdownFilter):
    title = _("configuration")
    parameter_name = "config"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*Config.Status.choices, ("none", gettext("Not managed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "none":
            return queryset.filter(config=None)
        known = self.value() in Config.Status.values
        return queryset.filter(config__status=self.value()) if known else queryset


class BackendFilter(DropdownFilter):
    title = _("backend")
    parameter_name = "backend"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Backend.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = self.value() in Backend.values
        return queryset.filter(config__backend=self.value()) if known else queryset


class TemplateFilter(DropdownFilter):
    title = _("template")
    parameter_name = "template"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        rows = Template.objects.visible_to(request.user).order_by("name")
        return [(str(pk), name) for pk, name in rows.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        # Only listed choices: other values may not even be valid ids.
        known = self.value() in {key for key, _ in self.lookup_choices}
        return queryset.filter(config__uses__template=self.value()) if known else queryset
