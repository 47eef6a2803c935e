from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from controller.base.values import UUID
from supervisor_proxy.api.agent.views import AgentConsumer
from supervisor_proxy.api.balena.views import (
    ApplicationView,
    DeviceView,
    NoSuchResourceView,
    ProxyView,
    ReportView,
    RestartAllView,
    RestartView,
    WhoAmIView,
)
from supervisor_proxy.api.openwisp.views import (
    BackupPlanViewSet,
    BatchViewSet,
    CallViewSet,
    CampaignViewSet,
    HomeAlertViewSet,
    HomeViewSet,
    StoredBackupViewSet,
    SupervisorViewSet,
)
from supervisor_proxy.api.remote.views import HomeConsumer
from supervisor_proxy.api.views import HassioView

router = SimpleRouter()
router.register("supervisor", SupervisorViewSet)
router.register("supervisor-call", CallViewSet)
router.register("supervisor-batch", BatchViewSet)
router.register("update-campaign", CampaignViewSet)
router.register("home", HomeViewSet)
router.register("home-alert", HomeAlertViewSet)
router.register("backup-plan", BackupPlanViewSet)
router.register("stored-backup", StoredBackupViewSet)

balena = [
    re_path(r"^supervisor/(?P<path>[\s\S]+)\Z", ProxyView.as_view()),
    re_path(r"^v[5-7]/device(?:\((?P<key>[^()]{1,80})\))?/?$", DeviceView.as_view()),
    re_path(r"^v[5-7]/application(?:\((?P<key>[^()]{1,120})\))?/?$", ApplicationView.as_view()),
    re_path(r"^v[5-7]/device/\$count$", DeviceView.as_view(), {"counts": True}),
    re_path(r"^v[5-7]/application/\$count$", ApplicationView.as_view(), {"counts": True}),
    re_path(
        r"^v[5-7]/(?P<name>[a-z_]{1,64})(?:\((?P<key>[^()]{1,120})\))?$",
        NoSuchResourceView.as_view(),
    ),
    path("actor/v1/whoami", WhoAmIView.as_view()),
    path("user/v1/whoami", WhoAmIView.as_view()),
    path("device/<int:pk>/restart", RestartView.as_view()),
    path("application/<int:pk>/restart", RestartAllView.as_view()),
    path("device/v3/state", ReportView.as_view()),
    re_path(r"^device/v[23]/(?P<uuid>[0-9a-f]{32,62})/state$", ReportView.as_view()),
]
sockets = [
    re_path(
        rf"^api/v1/controller/device/(?P<device_id>{UUID})/hassio/"
        r"(?:core|homeassistant)/websocket$",
        HomeConsumer.as_asgi(),
    ),
    path("api/v1/ws/home", AgentConsumer.as_asgi()),
]
urlpatterns = [
    path("api/v1/controller/", include(router.urls)),
    path("api/v1/controller/device/<uuid:device_id>/hassio/<path:path>", HassioView.as_view()),
    *balena,
]
