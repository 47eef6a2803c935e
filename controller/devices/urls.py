from django.urls import include, path
from rest_framework.routers import SimpleRouter

from controller.devices.api.dashboard import views as dashboard
from controller.devices.api.freesdn import views as freesdn
from controller.devices.api.inventory.views import AnsibleView, PrometheusView
from controller.devices.api.views import (
    DeviceViewSet,
    GroupViewSet,
    OrganizationSettingsView,
    SharedSecretView,
)

router = SimpleRouter()
router.register("device", DeviceViewSet)
router.register("group", GroupViewSet)

by_site = SimpleRouter()
by_site.register("devices", freesdn.DeviceViewSet, basename="freesdn_device")

organization = "api/v1/controller/organization/<uuid:organization_id>"

urlpatterns = [
    path("api/v1/controller/", include(router.urls)),
    path("api/v1/controller/inventory/ansible/", AnsibleView.as_view()),
    path("api/v1/controller/inventory/prometheus/", PrometheusView.as_view()),
    path(f"{organization}/settings/", OrganizationSettingsView.as_view()),
    path(f"{organization}/settings/rotate-secret/", SharedSecretView.as_view()),
    path("api/v1/", include(by_site.urls)),
    path("api/v1/analytics/dashboard/summary", dashboard.SummaryView.as_view()),
    path("api/v1/analytics/dashboard/enterprise", dashboard.FleetView.as_view()),
    path("api/v1/analytics/alerts", dashboard.AlertsView.as_view()),
    path("api/v1/enterprise/health/organization", dashboard.HealthView.as_view()),
    path("api/v1/system/info", dashboard.SystemView.as_view()),
]
