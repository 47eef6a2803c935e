from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer

from controller.accounts.models import User
from controller.accounts.rules import authorize
from controller.configs.rules.vpn_servers import follow_certificates
from controller.dialects.openwisp import RuleViewSet
from pki import rules
from pki.api.filters import CaFilter, CertFilter
from pki.api.serializers import (
    CaDetail,
    CaSerializer,
    CertDetail,
    CertSerializer,
    Renewal,
    Revocation,
)
from pki.models import Ca, Cert

PEM_FILE = "application/x-pem-file"


class CaViewSet(RuleViewSet):
    """Certificate authorities: create, import, renew, and their CRLs."""

    queryset = Ca.objects.all()
    resource = "ca"
    permissions = {"renew": "ca:update"}
    lookup_value_regex = "[0-9]+"
    filterset_class = CaFilter
    create_rule = staticmethod(rules.add_ca)
    update_rule = staticmethod(rules.update_ca)
    delete_rule = staticmethod(rules.delete_ca)

    def authorize_owner(self, values: dict[str, Any]) -> None:
        super().authorize_owner(values)
        issuer = values.get("issuer")
        if issuer is not None and isinstance(self.request.user, User):
            # Signing an intermediate CA requires the permission on the issuer.
            authorize(self.request.user, "ca:update", issuer.owner_id)

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return CaDetail if self.detail else CaSerializer

    @extend_schema(request=Renewal, responses=CaDetail)
    @action(detail=True, methods=["post"])
    def renew(self, request: Request, pk: str) -> Response:
        """Renew the CA. With a new key, its valid certificates are signed again."""
        wanted = valid(Renewal, request)
        row = rules.renew_ca(self.get_object(), **wanted)
        follow_certificates()
        return Response(self.get_serializer(row).data)

    @extend_schema(responses={(200, PEM_FILE): OpenApiTypes.STR})
    @action(detail=True, methods=["get"])
    def crl(self, request: Request, pk: str) -> HttpResponse:
        """Return the current CRL as PEM."""
        ca = self.get_object()
        headers = {"Content-Disposition": f'attachment; filename="{ca.pk}.crl"'}
        return HttpResponse(rules.current_list(ca).pem, content_type=PEM_FILE, headers=headers)


class CertViewSet(RuleViewSet):
    """Certificates: issue, import, renew and revoke."""

    queryset = Cert.objects.all()
    resource = "cert"
    permissions = {"renew": "cert:update", "revoke": "cert:update"}
    lookup_value_regex = "[0-9]+"
    filterset_class = CertFilter
    create_rule = staticmethod(rules.add_cert)
    update_rule = staticmethod(rules.update_cert)
    delete_rule = staticmethod(rules.delete_cert)

    def get_queryset(self) -> QuerySet[Cert]:
        rows: QuerySet[Cert] = super().get_queryset()
        # Lists only contain the CA's id; joining the CA would decrypt its key for each row.
        return rows if self.action == "list" else rows.select_related("ca")

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return CertDetail if self.detail else CertSerializer

    @extend_schema(request=Renewal, responses=CertDetail)
    @action(detail=True, methods=["post"])
    def renew(self, request: Request, pk: str) -> Response:
        """Renew the certificate for the same lifetime. Returns 409 if it is revoked."""
        wanted = valid(Renewal, request)
        row = rules.renew(self.get_object(), **wanted)
        follow_certificates()
        return Response(self.get_serializer(row).data)

    @extend_schema(request=Revocation, responses=CertDetail)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str) -> Response:
        """Revoke the certificate. This cannot be undone."""
        wanted = valid(Revocation, request)
        return Response(self.get_serializer(rules.revoke(self.get_object(), **wanted)).data)


def valid(kind: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    options = kind(data=request.data)
    options.is_valid(raise_exception=True)
    values: dict[str, Any] = options.validated_data
    return values
