"""Views of gateways' backups and of the policies by which they are made."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from controller.accounts.rules.authentication import authorize
from controller.base.errors import Refused
from controller.base.values import UUID
from controller.dialects.freesdn import OwnedViewSet, RuleViewSet
from controller.dialects.openwisp import require_user
from networks.gateways.api import serializers as shapes
from networks.gateways.api.filters import BackupFilter, PolicyFilter
from networks.gateways.api.views.staging import as_uuid, named
from networks.gateways.models import GatewayBackup, GatewayBackupPolicy
from networks.gateways.rules import backup_files, backups
from networks.gateways.rules.backup_comparison import compare

CREATED, ACCEPTED = 201, 202


class BackupViewSet(
    OwnedViewSet,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    GenericViewSet[Any],
):
    """Backups of gateways' configurations, newest first."""

    queryset = GatewayBackup.objects.select_related("configuration", "gateway")
    resource = "gateway"
    permissions = {
        "create": "gateway:update", "destroy": "gateway:delete", "download": "gateway:secret",
        "compare": "gateway:read", "restore": "gateway:read",
    }  # fmt: skip
    serializer_class = shapes.BackupShape
    filterset_class = BackupFilter
    http_method_names = ["get", "head", "options", "post", "delete"]

    def get_queryset(self) -> Any:
        # The contents are long, and only opened where they are asked for.
        return (
            super().get_queryset().defer("configuration__contents", "configuration__settings")
        )

    @extend_schema(request=shapes.BackupShape, responses={ACCEPTED: shapes.BackupShape})
    def create(self, request: Request) -> Response:
        """Ask for a backup of a gateway, which a worker takes. Read it again until it is stored."""
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        gateway, user = given.validated_data["gateway"], require_user(request)
        authorize(user, "gateway:update", gateway.organization_id, gateway.site_id)
        row = backups.request_backup(gateway, by=user)
        return Response(self.get_serializer(row).data, status=ACCEPTED)

    def perform_destroy(self, instance: GatewayBackup) -> None:
        backups.delete_backup(instance, by=require_user(self.request))

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True)
    def download(self, request: Request, pk: str | None = None) -> HttpResponse:
        """Download the file, which holds keys and passwords. Audited."""
        return backup_files.download_response(self.get_object(), by=require_user(request))

    @extend_schema(responses=shapes.ComparisonShape)
    @action(detail=True, url_path=rf"compare/(?P<other>{UUID})")
    def compare(self, request: Request, pk: str | None = None, other: str = "") -> Response:
        """Compare this backup with a newer one of the gateway, line by line, without secrets."""
        row = self.get_object()
        with_row = self.get_queryset().filter(pk=as_uuid(other), gateway=row.gateway_id).first()
        if with_row is None:
            raise Refused({"other": ["The gateway has no other backup of this id."]})
        return Response(shapes.ComparisonShape(compare(row, with_row)).data)

    @extend_schema(request=shapes.RestoreShape, responses={CREATED: shapes.ChangeShape})
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str | None = None) -> Response:
        """Stage the restore of this backup, a catastrophic change. Nothing is written yet."""
        given = shapes.RestoreShape(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            change = backup_files.stage_restore(
                self.get_object(), by=require_user(request), **given.validated_data
            )
        except Refused as error:
            raise named(error) from error
        return Response(shapes.ChangeShape(change).data, status=CREATED)


class BackupPolicyViewSet(RuleViewSet):
    """How often gateways are backed up, and how long backups are kept.

    A policy may delete backups of all sites: who changes one needs more than a site.
    """

    queryset = GatewayBackupPolicy.objects.all()
    resource = "organization"
    permissions = {"create": "organization:update", "destroy": "organization:update"}
    serializer_class = shapes.PolicyShape
    filterset_class = PolicyFilter
    create_rule = staticmethod(backups.create_policy)
    update_rule = staticmethod(backups.update_policy)
    delete_rule = staticmethod(backups.delete_policy)
    http_method_names = ["get", "head", "options", "post", "patch", "delete"]
