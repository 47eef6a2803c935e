from django_filters import rest_framework as filters

from controller.accounts.api.filters import visible_organizations
from controller.connections.models import Terminal


class TerminalFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(
        "device__organization", queryset=visible_organizations
    )
    device = filters.UUIDFilter("device_id")
    state = filters.ChoiceFilter(choices=Terminal.State.choices)

    class Meta:
        model = Terminal
        fields: list[str] = []
