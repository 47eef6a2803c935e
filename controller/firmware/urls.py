from django.urls import URLPattern, URLResolver, include, path
from rest_framework.routers import SimpleRouter

from controller.firmware.api.sockets.views import (
    BatchConsumer,
    DeviceUpgradesConsumer,
    UpgradeConsumer,
)
from controller.firmware.api.views.catalog import (
    BuildViewSet,
    CategoryViewSet,
    ImageViewSet,
    StoredImageView,
)
from controller.firmware.api.views.devices import DeviceFirmwareView, DeviceSystemView
from controller.firmware.api.views.image_requests import ImageRequestViewSet
from controller.firmware.api.views.operations import (
    BatchViewSet,
    DeviceOperationViewSet,
    OperationViewSet,
)
from controller.firmware.api.views.rollouts import (
    GatewayRolloutViewSet,
    PackageRolloutViewSet,
    PackageUpgradeView,
)
from controller.firmware.rules.chart_events import events_of
from controller.monitoring.rules.device_overview import register_events

PREFIX = "api/v1/firmware-upgrader/"

# What is marked in the charts of a device.
register_events(events_of)

router = SimpleRouter()
router.register("category", CategoryViewSet, "firmware-category")
router.register("build", BuildViewSet, "firmware-build")

router.register("upgrade-operation", OperationViewSet, "firmware-operation")
router.register("gateway-rollout", GatewayRolloutViewSet, "firmware-gateway-rollout")
router.register("package-rollout", PackageRolloutViewSet, "firmware-package-rollout")
router.register("image-request", ImageRequestViewSet, "firmware-image-request")
router.register("batch-upgrade-operation", BatchViewSet, "firmware-batch")

images = ImageViewSet.as_view({"get": "list", "post": "create"})
image = ImageViewSet.as_view({"get": "retrieve", "delete": "destroy"})
download = ImageViewSet.as_view({"get": "download"})

sockets = [
    path("ws/firmware-upgrader/upgrade-operation/<uuid:pk>/", UpgradeConsumer.as_asgi()),
    path("ws/firmware-upgrader/batch-upgrade-operation/<uuid:pk>/", BatchConsumer.as_asgi()),
    path("ws/firmware-upgrader/device/<uuid:pk>/", DeviceUpgradesConsumer.as_asgi()),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{PREFIX}build/<uuid:build_id>/image/", images),
    path(f"{PREFIX}build/<uuid:build_id>/image/<uuid:pk>/", image),
    path(
        f"{PREFIX}build/<uuid:build_id>/image/<uuid:pk>/download/",
        download,
        name="firmware-image-download",
    ),
    path(
        f"{PREFIX}device/<uuid:device_id>/upgrade-operation/",
        DeviceOperationViewSet.as_view({"get": "list"}),
    ),
    path(f"{PREFIX}device/<uuid:device_id>/firmware/", DeviceFirmwareView.as_view()),
    path(f"{PREFIX}device/<uuid:device_id>/package-upgrade/", PackageUpgradeView.as_view()),
    path(f"{PREFIX}device/<uuid:device_id>/system/", DeviceSystemView.as_view()),
    path("firmware/<uuid:build_id>/<str:name>", StoredImageView.as_view()),
    path(PREFIX, include(router.urls)),
]
