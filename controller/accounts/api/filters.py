"""Filters that lists of organizations' rows have in common."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django_filters import rest_framework as filters

from controller.accounts.models import Organization
from controller.dialects.filters import MomentFilter


def visible_organizations(request: HttpRequest | None) -> QuerySet[Organization]:
    """Return the organizations that the caller belongs to; all for superusers."""
    user: Any = request.user if request else None
    if user is None or not user.is_active:
        return Organization.objects.none()
    if user.is_superuser:
        return Organization.objects.all()
    return Organization.objects.filter(pk__in=user.roles)


class OwnedFilter(filters.FilterSet):
    """By organization and creation time: what every list of owned rows can be filtered by."""

    organization = filters.ModelChoiceFilter(queryset=visible_organizations)
    organization_slug = filters.CharFilter("organization__slug")
    created = MomentFilter()
    created__gte = MomentFilter("created", "gte")
    created__lt = MomentFilter("created", "lt")
