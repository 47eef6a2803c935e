from django.db.models import QuerySet
from django.http import HttpRequest
from django_filters import rest_framework as filters

from controller.accounts.api.filters import OwnedFilter
from controller.vpn.models import Vpn
from networks.ipam.models import Subnet


def visible_subnets(request: HttpRequest | None) -> QuerySet[Subnet]:
    rows: QuerySet[Subnet] = Subnet.objects.all()
    return rows.visible_to(request.user) if request else rows.none()  # type: ignore[attr-defined]


class VpnFilter(OwnedFilter):
    backend = filters.ChoiceFilter(choices=Vpn.Backend.choices)
    subnet = filters.ModelChoiceFilter(queryset=visible_subnets)

    class Meta:
        model = Vpn
        fields: list[str] = []
