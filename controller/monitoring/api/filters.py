from typing import Any
from uuid import UUID

from django.db.models import Case, CharField, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django_filters import rest_framework as filters

from controller.accounts.api.filters import OwnedFilter, visible_organizations
from controller.devices.api.filters import visible_groups
from controller.devices.models import Device
from controller.dialects.filters import MomentFilter
from controller.monitoring.engine.active import Kind
from controller.monitoring.engine.health import Health
from controller.monitoring.models import Check, Silence, Threshold, WifiSession

HEALTH_CHOICES = [(one.value, one.value) for one in Health]


def with_health(rows: QuerySet[Any], path: str = "") -> QuerySet[Any]:
    """Return the rows with the health of their device; of one never measured it is unknown."""
    return rows.annotate(
        health=Case(
            When(**{f"{path}is_deactivated": True}, then=Value(Health.DEACTIVATED.value)),
            default=Coalesce(f"{path}monitoring__health", Value(Health.UNKNOWN.value)),
            output_field=CharField(),
        )
    )


class HealthFilter(OwnedFilter):
    """Devices by how they are."""

    monitoring__status = filters.ChoiceFilter("health", choices=HEALTH_CHOICES)

    class Meta:
        model = Device
        fields: list[str] = []


class NearbyFilter(HealthFilter):
    organization__slug = filters.CharFilter()
    model = filters.CharFilter(
        method="by_model", help_text="A model, or several separated by |."
    )
    distance__lte = filters.NumberFilter(
        "distance", "lte", min_value=0, help_text="Meters at most."
    )

    def by_model(self, rows: QuerySet[Device], _: str, value: str) -> QuerySet[Device]:
        return rows.filter(model__in=[one.strip() for one in value.split("|")])


def visible_devices(request: Any) -> QuerySet[Device]:
    if request is None:
        return Device.objects.none()
    found: QuerySet[Device] = Device.objects.visible_to(request.user)
    return found


LOOKUPS = ("gt", "gte", "lt", "lte")


class SessionFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(
        field_name="device__organization", queryset=visible_organizations
    )
    device__organization = filters.ModelChoiceFilter(queryset=visible_organizations)
    device = filters.ModelChoiceFilter(queryset=visible_devices)
    device__group = filters.ModelChoiceFilter(queryset=visible_groups)
    start_time = MomentFilter()
    start_time__gt = MomentFilter("start_time", "gt")
    start_time__gte = MomentFilter("start_time", "gte")
    start_time__lt = MomentFilter("start_time", "lt")
    start_time__lte = MomentFilter("start_time", "lte")
    stop_time = MomentFilter()
    stop_time__gt = MomentFilter("stop_time", "gt")
    stop_time__gte = MomentFilter("stop_time", "gte")
    stop_time__lt = MomentFilter("stop_time", "lt")
    stop_time__lte = MomentFilter("stop_time", "lte")
    stop_time__isnull = filters.BooleanFilter("stop_time", "isnull")

    class Meta:
        model = WifiSession
        fields: list[str] = []


class ThresholdFilter(OwnedFilter):
    metric = filters.CharFilter()
    device = filters.ModelChoiceFilter(queryset=visible_devices)
    group = filters.ModelChoiceFilter(queryset=visible_groups)

    class Meta:
        model = Threshold
        fields: list[str] = []


class CheckFilter(OwnedFilter):
    kind = filters.ChoiceFilter(choices=[(kind.value, kind.value) for kind in Kind])
    device = filters.ModelChoiceFilter(queryset=visible_devices)
    group = filters.ModelChoiceFilter(queryset=visible_groups)

    class Meta:
        model = Check
        fields: list[str] = []


class SilenceFilter(OwnedFilter):
    device = filters.ModelChoiceFilter(queryset=visible_devices)
    ends__gt = MomentFilter("ends", "gt")

    class Meta:
        model = Silence
        fields: list[str] = []


def uuids_of(text: str) -> list[UUID] | None:
    """Return the ids of a list separated by commas; None where one of them is no id."""
    try:
        return [UUID(one.strip()) for one in text.split(",") if one.strip()]
    except ValueError:
        return None
