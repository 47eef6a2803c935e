from django_filters import rest_framework as filters

from networks.gateways.models import Change, ChangeSet, Gateway, GatewayBackup


class GatewayFilter(filters.FilterSet):
    site_id = filters.UUIDFilter("site_id")
    organization = filters.UUIDFilter("organization_id")
    search = filters.CharFilter("name", lookup_expr="icontains", max_length=256)

    class Meta:
        model = Gateway
        fields = ["vendor"]


class SetFilter(filters.FilterSet):
    organization = filters.UUIDFilter("organization_id")
    site_id = filters.UUIDFilter("site_id")
    status = filters.ChoiceFilter(field_name="state", choices=ChangeSet.State.choices)

    class Meta:
        model = ChangeSet
        fields: list[str] = []


# FreeSDN knows five states; each finds those of ours that its clients would take for it.
STATES = {
    Change.State.PENDING: (Change.State.APPROVED, Change.State.SCHEDULED),
    Change.State.APPLYING: (Change.State.VERIFYING,),
    Change.State.FAILED: (Change.State.UNKNOWN,),
    Change.State.DISCARDED: (Change.State.EXPIRED,),
}


# What each of our states is to a client that knows the five.
OF_FIVE: dict[str, str] = {
    Change.State.DRAFT: Change.State.PENDING,
    **{one: known for known, others in STATES.items() for one in others},
}


class ChangeFilter(filters.FilterSet):
    """Filters of change lists. `status=all` selects every status."""

    status = filters.ChoiceFilter(
        choices=[*Change.State.choices, ("all", "All")], method="by_status"
    )
    vendor = filters.CharFilter("gateway__vendor", max_length=16)

    class Meta:
        model = Change
        fields: list[str] = []

    def by_status(self, rows: object, _name: str, value: str) -> object:
        if value == "all":
            return rows
        wanted = (value, *STATES.get(Change.State(value), ()))
        return rows.filter(state__in=wanted)  # type: ignore[attr-defined]


class BackupFilter(filters.FilterSet):
    gateway_id = filters.UUIDFilter("gateway_id")
    organization = filters.UUIDFilter("gateway__organization_id")
    status = filters.ChoiceFilter(field_name="state", choices=GatewayBackup.State.choices)
    reason = filters.ChoiceFilter(choices=GatewayBackup.Reason.choices)

    class Meta:
        model = GatewayBackup
        fields: list[str] = []


class PolicyFilter(filters.FilterSet):
    organization = filters.UUIDFilter("organization_id")
    gateway_id = filters.UUIDFilter("gateway_id")
