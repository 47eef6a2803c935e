from django_filters import rest_framework as filters

from controller.accounts.api.filters import OwnedFilter, visible_organizations
from controller.connections.engine.commands import KINDS
from controller.connections.models import (
    Command,
    CommandBatch,
    Credentials,
    DeviceConnection,
)


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


class CommandFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(
        "device__organization", queryset=visible_organizations
    )
    status = filters.ChoiceFilter(choices=Command.Status.choices)
    type = filters.ChoiceFilter(choices=[(name, kind.label) for name, kind in KINDS.items()])
    batch = filters.UUIDFilter("batch_id")

    class Meta:
        model = Command
        fields: list[str] = []


class BatchFilter(OwnedFilter):
    class Meta:
        model = CommandBatch
        fields: list[str] = []
