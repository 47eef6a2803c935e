from django_filters import rest_framework as filters

from controller.accounts.api.filters import OwnedFilter, visible_organizations
from networks.ipam.models import IpAddress, Subnet


class SubnetFilter(OwnedFilter):
    class Meta:
        model = Subnet
        fields: list[str] = []


class AddressFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(
        field_name="subnet__organization", queryset=visible_organizations
    )
    organization_slug = filters.CharFilter("subnet__organization__slug")

    class Meta:
        model = IpAddress
        fields: list[str] = []
