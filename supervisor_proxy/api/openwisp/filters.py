from django_filters import rest_framework as filters

from controller.devices.api.filters import visible_organizations
from supervisor_proxy.models import (
    Supervisor,
    SupervisorBatch,
    SupervisorCall,
    Terminal,
    UpdateCampaign,
)


class SupervisorFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(
        "device__organization", queryset=visible_organizations
    )
    device = filters.UUIDFilter("device_id")
    flavor = filters.ChoiceFilter(choices=Supervisor.Flavor.choices)
    app_id = filters.NumberFilter()
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
    supervisor = filters.NumberFilter("supervisor_id")
    batch = filters.UUIDFilter("batch_id")
    state = filters.ChoiceFilter(choices=SupervisorCall.State.choices)
    name = filters.CharFilter()

    class Meta:
        model = SupervisorCall
        fields: list[str] = []


class BatchFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter("organization", queryset=visible_organizations)
    app_id = filters.NumberFilter()

    class Meta:
        model = SupervisorBatch
        fields: list[str] = []


class TerminalFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(
        "device__organization", queryset=visible_organizations
    )
    device = filters.UUIDFilter("device_id")
    state = filters.ChoiceFilter(choices=Terminal.State.choices)

    class Meta:
        model = Terminal
        fields: list[str] = []


class CampaignFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter("organization", queryset=visible_organizations)
    state = filters.ChoiceFilter(choices=UpdateCampaign.State.choices)

    class Meta:
        model = UpdateCampaign
        fields: list[str] = []
