from django.urls import URLPattern, URLResolver, include, path
from rest_framework.routers import SimpleRouter

from controller.base.measurements import register_taker
from controller.monitoring.api.views.checks import CheckViewSet
from controller.monitoring.api.views.dashboard import DashboardView, FleetView
from controller.monitoring.api.views.devices import (
    DeviceHealthViewSet,
    DeviceMetricsView,
    DeviceMetricViewSet,
    NearbyDevicesView,
)
from controller.monitoring.api.views.limits import SilenceViewSet, ThresholdViewSet
from controller.monitoring.api.views.locations import MonitoredLocationViewSet
from controller.monitoring.api.views.metrics import MetricsView
from controller.monitoring.api.views.overview import OverviewView
from controller.monitoring.api.views.sessions import WifiSessionViewSet
from controller.monitoring.api.views.topology import TopologyView
from controller.monitoring.rules import app_reports
from geo.api.views.locations import FeaturePagination

# What devices tell of themselves in requests to other apps.
register_taker(app_reports.take)

router = SimpleRouter()
router.register("location", MonitoredLocationViewSet, "monitored-location")
router.register("wifi-session", WifiSessionViewSet)
router.register("check", CheckViewSet)
router.register("threshold", ThresholdViewSet)
router.register("silence", SilenceViewSet)

geojson = MonitoredLocationViewSet.as_view(
    {"get": "geojson"}, pagination_class=FeaturePagination
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/monitoring/device/", DeviceHealthViewSet.as_view({"get": "list"})),
    path(
        "api/v1/monitoring/device/<any_uuid:pk>/",
        DeviceMetricsView.as_view(),
        name="device-metrics",
    ),
    path(
        "api/v1/monitoring/device/<any_uuid:pk>/metric/",
        DeviceMetricViewSet.as_view({"get": "list"}),
    ),
    path("api/v1/monitoring/device/<any_uuid:pk>/nearby-devices/", NearbyDevicesView.as_view()),
    path("api/v1/monitoring/device/<any_uuid:pk>/overview/", OverviewView.as_view()),
    path("api/v1/monitoring/dashboard/", DashboardView.as_view()),
    path("api/v1/monitoring/metrics/", MetricsView.as_view()),
    path("api/v1/monitoring/topology/", TopologyView.as_view()),
    path("api/v1/monitoring/fleet/", FleetView.as_view()),
    path("api/v1/monitoring/geojson/", geojson),
    path("api/v1/monitoring/", include(router.urls)),
]
