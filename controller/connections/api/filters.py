from django_filters import rest_framework as filters

from controller.connections.models import Credentials, DeviceConnection
from controller.devices.api.filters import OwnedFilter, visible_organizations


class CredentialsFilter(OwnedFilter):
    connector = filters.ChoiceFilter(choices=Credentials.Connector.choices)

    class Meta:
        model = Credentials
        fields: list[str] = []


class ConnectionFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(
        "device__organization", queryset=visible_organizations
    )
    enabled = filters.BooleanFilter()
    is_working = filters.BooleanFilter()

    class Meta:
        model = DeviceConnection
        fields: list[str] = []
