from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters

from controller.accounts.models import Organization, Site


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


def only_organization(organizations: QuerySet[Organization]) -> Organization | None:
    """The one organization there is to choose, if there is one."""
    found = list(organizations[:2])
    return found[0] if len(found) == 1 else None
