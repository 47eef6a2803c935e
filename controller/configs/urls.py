from django.urls import include, path, register_converter
from django.urls.converters import UUIDConverter
from rest_framework.routers import SimpleRouter

from controller.configs.api.agent import views as agent
from controller.configs.api.views import (
    DeviceVersions,
    DriftCheckView,
    DriftRepairView,
    DriftView,
    EnrollmentViewSet,
    GroupVersions,
    RolloutViewSet,
    SnapshotViewSet,
    TemplateVersions,
    TemplateViewSet,
    VpnVersions,
)


class AnyUUID(UUIDConverter):
    """UUID with or without dashes: agents omit them."""

    regex = "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"


register_converter(AnyUUID, "any_uuid")

router = SimpleRouter()
router.register("template", TemplateViewSet)
router.register("rollout", RolloutViewSet)
router.register("enrollment", EnrollmentViewSet)
router.register("version/device", DeviceVersions, basename="device_version")
router.register("version/template", TemplateVersions, basename="template_version")
router.register("version/group", GroupVersions, basename="group_version")
router.register("version/vpn", VpnVersions, basename="vpn_version")

of_device = SimpleRouter()
of_device.register("snapshot", SnapshotViewSet)

drift = "api/v1/controller/device/<uuid:device_id>/drift/"

of_agent = [
    path("register/", agent.register),
    path("enroll/challenge/", agent.challenge),
    path("enroll/", agent.enroll),
    path("checksum/<any_uuid:device>/", agent.checksum),
    path("download-config/<any_uuid:device>/", agent.download_config),
    path("report-status/<any_uuid:device>/", agent.report_status),
    path("update-info/<any_uuid:device>/", agent.update_info),
]

urlpatterns = [
    # Agents use the short path; the long one is documented.
    path("controller/", include(of_agent)),
    path("controller/device/", include(of_agent)),
    path(drift, DriftView.as_view()),
    path(f"{drift}check/", DriftCheckView.as_view()),
    path(f"{drift}repair/", DriftRepairView.as_view()),
    path("api/v1/controller/device/<uuid:device_id>/", include(of_device.urls)),
    path("api/v1/controller/", include(router.urls)),
]
