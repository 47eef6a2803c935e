from django.db.models import Q
from django_filters import rest_framework as filters

from networks.overlay.models import Member, MemberSubnet, Network, Pair


class NetworkFilter(filters.FilterSet):
    name = filters.CharFilter(lookup_expr="icontains")

    class Meta:
        model = Network
        fields: list[str] = []


class MemberFilter(filters.FilterSet):
    name = filters.CharFilter(field_name="node__name", lookup_expr="icontains")
    tag = filters.CharFilter(method="with_tag")
    online = filters.BooleanFilter(field_name="node__online")

    class Meta:
        model = Member
        fields = ["state"]

    def with_tag(self, rows: object, _name: str, value: str) -> object:
        # Match the JSON as text: Django has no JSON `contains` lookup on SQLite.
        return rows.filter(tags__icontains=f'"{value}"')  # type: ignore[attr-defined]


class SubnetFilter(filters.FilterSet):
    is_approved = filters.BooleanFilter(
        field_name="approved_at", lookup_expr="isnull", exclude=True
    )

    class Meta:
        model = MemberSubnet
        fields = ["member", "is_announced"]


class WayFilter(filters.FilterSet):
    member = filters.CharFilter(method="with_member", label="Name of one of the two")

    class Meta:
        model = Pair
        fields = ["state"]

    def with_member(self, rows: object, _name: str, value: str) -> object:
        return rows.filter(Q(low__name=value) | Q(high__name=value))  # type: ignore[attr-defined]
