"""Views of supervisors, their calls, update campaigns and backups."""

from typing import Any

from django.conf import settings
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import CreateModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from controller.accounts.rules import authorize
from controller.accounts.rules.audit import record_audit
from controller.dialects.openwisp import OwnedViewSet, RuleViewSet, require_user
from supervisor_proxy.api.openwisp.filters import (
    AlertFilter,
    BatchFilter,
    CallFilter,
    CampaignFilter,
    HomeFilter,
    PlanFilter,
    StoredBackupFilter,
    SupervisorFilter,
)
from supervisor_proxy.api.openwisp.serializers import (
    BackupPlanSerializer,
    CampaignSerializer,
    HomeAlertSerializer,
    HomeSerializer,
    IngressSerializer,
    StoredBackupSerializer,
    SupervisorBatchSerializer,
    SupervisorCallSerializer,
    SupervisorSerializer,
)
from supervisor_proxy.models import (
    BackupPlan,
    Home,
    HomeAlert,
    StoredBackup,
    Supervisor,
    SupervisorBatch,
    SupervisorCall,
    UpdateCampaign,
)
from supervisor_proxy.rules import backups, call_requests, campaigns, supervisors
from supervisor_proxy.rules import ingress as remote


class SupervisorViewSet(RuleViewSet):
    """Supervisors of devices. The id is what clients call ``deviceId``."""

    queryset = Supervisor.objects.select_related("device").prefetch_related(
        "device__vpn_clients__ip"
    )
    resource = "supervisor"
    filterset_class = SupervisorFilter
    serializer_class = SupervisorSerializer
    update_rule = staticmethod(supervisors.update_supervisor)
    delete_rule = staticmethod(supervisors.remove_supervisor)
    permissions = {"ingress": "supervisor:remote"}

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values = serializer.validated_data
        device = values["device"]
        authorize(
            require_user(self.request),
            "supervisor:create",
            device.organization_id,
            device.site_scope,
        )
        serializer.instance = supervisors.add_supervisor(**values)

    @extend_schema(request=IngressSerializer, responses={201: OpenApiTypes.OBJECT})
    @action(detail=True, methods=["post"])
    def ingress(self, request: Request, pk: str) -> Response:
        """Open an add-on's page at its own host name. The returned link works once."""
        asked = IngressSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        session, ticket = remote.begin(
            require_user(request), self.get_object(), **asked.validated_data
        )
        host = f"{session.label}.{settings.MUSTER_INGRESS_DOMAIN}"
        return Response({"url": f"https://{host}/?muster-ticket={ticket}"}, status=201)


class CallViewSet(ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Supervisor calls with their results."""

    queryset = SupervisorCall.objects.select_related("supervisor")
    resource = "supervisor"
    permissions = {"cancel": "supervisor:act"}
    filterset_class = CallFilter
    serializer_class = SupervisorCallSerializer

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a queued call."""
        return Response(self.get_serializer(call_requests.cancel(self.get_object())).data)


class BatchViewSet(ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Batch calls on many devices, with their progress."""

    queryset = SupervisorBatch.objects.counted().order_by("-created", "id")
    resource = "supervisor"
    filterset_class = BatchFilter
    serializer_class = SupervisorBatchSerializer


class CampaignViewSet(CreateModelMixin, ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Staged Home Assistant updates, with backup, health check and rollback."""

    queryset = UpdateCampaign.objects.prefetch_related("devices__supervisor__device")
    resource = "supervisor"
    permissions = {"create": "supervisor:manage"}
    filterset_class = CampaignFilter
    serializer_class = CampaignSerializer

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values = serializer.validated_data
        user = require_user(self.request)
        authorize(user, "supervisor:manage", values["organization"].pk)
        serializer.instance = campaigns.start_campaign(
            user, values.pop("supervisors"), **values
        )


class HomeViewSet(ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Versions, add-ons and available updates of Home Assistant devices."""

    queryset = Home.objects.select_related("supervisor__device")
    resource = "supervisor"
    filterset_class = HomeFilter
    serializer_class = HomeSerializer


class HomeAlertViewSet(ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Open and past alerts of Home Assistant devices."""

    queryset = HomeAlert.objects.select_related("supervisor__device")
    resource = "supervisor"
    filterset_class = AlertFilter
    serializer_class = HomeAlertSerializer


class BackupPlanViewSet(RuleViewSet):
    """Backup schedules of Home Assistant devices, with their retention."""

    queryset = BackupPlan.objects.select_related("group")
    resource = "supervisor"
    permissions = dict.fromkeys(
        ("create", "update", "partial_update", "destroy"), "supervisor:manage"
    )
    filterset_class = PlanFilter
    serializer_class = BackupPlanSerializer
    delete_rule = staticmethod(backups.remove_plan)

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        serializer.instance = backups.add_plan(
            require_user(self.request), **serializer.validated_data
        )

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        plan: Any = serializer.instance
        serializer.instance = backups.update_plan(
            plan, user=require_user(self.request), **serializer.validated_data
        )


class StoredBackupViewSet(ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Backups of Home Assistant devices stored in the portal."""

    queryset = StoredBackup.objects.select_related("supervisor__device")
    resource = "supervisor"
    permissions = {
        "download": "supervisor:download", "send": "supervisor:backup",
        "password": "supervisor:secret",
    }  # fmt: skip
    filterset_class = StoredBackupFilter
    serializer_class = StoredBackupSerializer

    @extend_schema(responses={(200, "application/tar"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def download(self, request: Request, pk: str) -> StreamingHttpResponse:
        """Download the file as Home Assistant created it."""
        row = self.get_object()
        record_audit("backup.downloaded", row)
        answer = StreamingHttpResponse(backups.opened(row), content_type="application/tar")
        answer["Content-Length"] = str(row.size)
        answer["Content-Disposition"] = f'attachment; filename="{row.slug}.tar"'
        answer["Cache-Control"] = "no-store"
        return answer

    @extend_schema(responses=OpenApiTypes.OBJECT)
    @action(detail=True, methods=["get"])
    def password(self, request: Request, pk: str) -> Response:
        """Return the password that Home Assistant needs to restore the backup."""
        row = self.get_object()
        record_audit("backup.password_shown", row)
        return Response({"password": row.password}, headers={"Cache-Control": "no-store"})

    @extend_schema(request=None, responses=OpenApiTypes.OBJECT)
    @action(detail=True, methods=["post"])
    def send(self, request: Request, pk: str) -> Response:
        """Upload the backup to its device, to be restored there."""
        job = backups.send_back(require_user(request), self.get_object())
        if job.refusal is not None:
            raise job.refusal
        shown = job.answer.value if job.answer else {}
        return Response(shown, status=job.answer.status if job.answer else 502)
