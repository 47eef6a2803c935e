from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters

from controller.accounts.models import AuditEntry, Invitation, Organization, Site
from controller.dialects.filters import MomentFilter


class SiteFilter(filters.FilterSet):
    organization_id = filters.UUIDFilter("organization_id")
    organization = filters.UUIDFilter("organization_id")
    search = filters.CharFilter(
        method="by_text", max_length=200, help_text="In name, city, country and description."
    )
    is_active = filters.BooleanFilter()

    class Meta:
        model = Site
        fields: list[str] = []

    def by_text(self, rows: QuerySet[Site], _: str, text: str) -> QuerySet[Site]:
        found = Q()
        for name in ("name", "city", "country", "description"):
            found |= Q(**{f"{name}__icontains": text})
        return rows.filter(found)


class InvitationFilter(filters.FilterSet):
    organization_id = filters.UUIDFilter("organization_id")
    organization = filters.UUIDFilter("organization_id")
    is_accepted = filters.BooleanFilter("accepted", "isnull", exclude=True)

    class Meta:
        model = Invitation
        fields: list[str] = []


class AuditFilter(filters.FilterSet):
    organization_id = filters.UUIDFilter("organization_id")
    organization = filters.UUIDFilter("organization_id")
    user_id = filters.UUIDFilter("actor_id")
    username = filters.CharFilter("actor")
    action = filters.CharFilter()
    resource_type = filters.CharFilter("object_type")
    resource_id = filters.CharFilter("object_id")
    status = filters.ChoiceFilter(
        method="by_outcome",
        choices=[("success", "Success"), *AuditEntry.Outcome.choices],
        help_text="done is the same as success",
    )
    ip_address = filters.CharFilter("address")
    request_id = filters.CharFilter()
    start_date = MomentFilter("at", "gte")
    end_date = MomentFilter("at", "lte")
    search = filters.CharFilter(
        method="by_text", max_length=200, help_text="In user, row, action and detail."
    )

    class Meta:
        model = AuditEntry
        fields: list[str] = []

    def by_outcome(self, rows: QuerySet[AuditEntry], _: str, name: str) -> QuerySet[AuditEntry]:
        return rows.filter(outcome=AuditEntry.Outcome.DONE if name == "success" else name)

    def by_text(self, rows: QuerySet[AuditEntry], _: str, text: str) -> QuerySet[AuditEntry]:
        found = Q()
        for name in ("actor", "object_name", "action", "detail"):
            found |= Q(**{f"{name}__icontains": text})
        return rows.filter(found)


def only_organization(organizations: QuerySet[Organization]) -> Organization | None:
    """Return the only organization of the queryset, or None if there are several."""
    found = list(organizations[:2])
    return found[0] if len(found) == 1 else None
