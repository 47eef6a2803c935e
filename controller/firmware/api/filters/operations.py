from django.db.models import QuerySet
from django_filters import rest_framework as filters

from controller.accounts.api.filters import visible_organizations
from controller.dialects.filters import MomentFilter
from controller.firmware.api.filters.catalog import OrganizationFilter
from controller.firmware.engine.openwisp_words import (
    BATCH_STATUSES,
    OPERATION_STATUSES,
    states_of,
)
from controller.firmware.models import FirmwareRollout, Upgrade


class OperationFilter(filters.FilterSet):
    organization = OrganizationFilter("device__organization")
    device__organization = filters.ModelChoiceFilter(queryset=visible_organizations)
    device__organization__slug = filters.CharFilter()
    device = filters.UUIDFilter("device_id")
    image = filters.UUIDFilter("image_id")
    status = filters.ChoiceFilter(
        choices=[(one, one) for one in OPERATION_STATUSES], method="by_status"
    )
    ordering = filters.OrderingFilter(fields=["device_id", "created", "modified"])

    class Meta:
        model = Upgrade
        fields: list[str] = []

    def by_status(self, rows: QuerySet[Upgrade], _name: str, value: str) -> QuerySet[Upgrade]:
        return rows.filter(state__in=states_of(value))


class BatchFilter(filters.FilterSet):
    organization = OrganizationFilter("organization")
    build = filters.UUIDFilter("build_id")
    status = filters.ChoiceFilter(
        "dialect_status", choices=[(one, one) for one in BATCH_STATUSES]
    )
    created = MomentFilter()
    ordering = filters.OrderingFilter(fields=["created", "modified"])

    class Meta:
        model = FirmwareRollout
        fields: list[str] = []
