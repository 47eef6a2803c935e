from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters

from controller.devices.api.freesdn.serializers import OTHER, STATUSES
from controller.devices.models import Device


class DeviceFilter(filters.FilterSet):
    site_id = filters.UUIDFilter("site_id")
    organization = filters.UUIDFilter("organization_id")
    device_type = filters.CharFilter(method="by_type")
    status = filters.ChoiceFilter(choices=STATUSES, method="by_status")
    is_active = filters.BooleanFilter("is_deactivated", exclude=True)
    search = filters.CharFilter(
        method="by_text", max_length=256, help_text="In name, addresses and model."
    )

    class Meta:
        model = Device
        fields: list[str] = []

    def by_type(self, rows: QuerySet[Device], _: str, value: str) -> QuerySet[Device]:
        return rows.filter(kind="" if value == OTHER else value)

    def by_status(self, rows: QuerySet[Device], _: str, value: str) -> QuerySet[Device]:
        if value == "deactivated":
            return rows.filter(is_deactivated=True)
        return rows.filter(is_deactivated=False, presence__state=value)

    def by_text(self, rows: QuerySet[Device], _: str, text: str) -> QuerySet[Device]:
        found = Q()
        for name in ("name", "mac_address", "model"):
            found |= Q(**{f"{name}__icontains": text})
        for name in ("management_ip", "presence__last_ip"):
            found |= Q(**{f"{name}__startswith": text})
        return rows.filter(found)
