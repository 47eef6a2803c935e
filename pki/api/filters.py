from django.db.models import QuerySet
from django.http import HttpRequest
from django_filters import rest_framework as filters

from controller.accounts.api.filters import OwnedFilter
from controller.accounts.models import User
from controller.dialects.filters import MomentFilter
from pki.models import Ca, Cert


def visible_authorities(request: HttpRequest | None) -> QuerySet[Ca]:
    user = request.user if request else None
    return Ca.objects.visible_to(user) if isinstance(user, User) else Ca.objects.none()


class CertifiedFilter(OwnedFilter):
    name = filters.CharFilter(lookup_expr="icontains")
    common_name = filters.CharFilter()
    serial_number = filters.CharFilter()
    validity_end__lt = MomentFilter("validity_end", "lt")
    validity_end__gte = MomentFilter("validity_end", "gte")


class CaFilter(CertifiedFilter):
    issuer = filters.ModelChoiceFilter(queryset=visible_authorities)

    class Meta:
        model = Ca
        fields: list[str] = []


class CertFilter(CertifiedFilter):
    ca = filters.ModelChoiceFilter(queryset=visible_authorities)
    revoked = filters.BooleanFilter()

    class Meta:
        model = Cert
        fields: list[str] = []
