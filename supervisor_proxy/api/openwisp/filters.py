from typing import Any

from django_filters import rest_framework as filters

from controller.accounts.api.filters import visible_organizations
from controller.dialects.filters import WholeNumberFilter
from supervisor_proxy.models import (
    BackupPlan,
    Home,
    HomeAlert,
    StoredBackup,
    Supervisor,
    SupervisorBatch,
    SupervisorCall,
    UpdateCampaign,
)


class SupervisorFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(
        "device__organization", queryset=visible_organizations
    )
    device = filters.UUIDFilter("device_id")
    flavor = filters.ChoiceFilter(choices=Supervisor.Flavor.choices)
    app_id = WholeNumberFilter()
    uuid = filters.CharFilter(lookup_expr="startswith")
    key_state = filters.ChoiceFilter(choices=Supervisor.KeyState.choices)

    class Meta:
        model = Supervisor
        fields: list[str] = []


class CallFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(
        "supervisor__device__organization", queryset=visible_organizations
    )
    device = filters.UUIDFilter("supervisor__device_id")
    supervisor = WholeNumberFilter("supervisor_id")
    batch = filters.UUIDFilter("batch_id")
    state = filters.ChoiceFilter(choices=SupervisorCall.State.choices)
    name = filters.CharFilter()

    class Meta:
        model = SupervisorCall
        fields: list[str] = []


class BatchFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter("organization", queryset=visible_organizations)
    app_id = WholeNumberFilter()

    class Meta:
        model = SupervisorBatch
        fields: list[str] = []


class CampaignFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter("organization", queryset=visible_organizations)
    state = filters.ChoiceFilter(choices=UpdateCampaign.State.choices)

    class Meta:
        model = UpdateCampaign
        fields: list[str] = []


class HomeFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(
        "supervisor__device__organization", queryset=visible_organizations
    )
    device = filters.UUIDFilter("supervisor__device_id")
    health = filters.ChoiceFilter(choices=Home.Health.choices)
    core = filters.CharFilter()
    has_updates = filters.BooleanFilter(method="by_updates")

    class Meta:
        model = Home
        fields: list[str] = []

    def by_updates(self, rows: Any, name: str, value: bool) -> Any:  # noqa: FBT001 - its signature
        return rows.filter(updates__gt=0) if value else rows.filter(updates=0)


class AlertFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(
        "supervisor__device__organization", queryset=visible_organizations
    )
    device = filters.UUIDFilter("supervisor__device_id")
    kind = filters.CharFilter()
    is_open = filters.BooleanFilter("ended", lookup_expr="isnull")

    class Meta:
        model = HomeAlert
        fields: list[str] = []


class PlanFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter("organization", queryset=visible_organizations)
    enabled = filters.BooleanFilter()

    class Meta:
        model = BackupPlan
        fields: list[str] = []


class StoredBackupFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(
        "supervisor__device__organization", queryset=visible_organizations
    )
    device = filters.UUIDFilter("supervisor__device_id")
    plan = filters.UUIDFilter("plan_id")
    state = filters.ChoiceFilter(choices=StoredBackup.State.choices)

    class Meta:
        model = StoredBackup
        fields: list[str] = []
