from django_filters import rest_framework as filters

from networks.overlay.models import Member, Network


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
