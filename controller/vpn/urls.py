from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from controller.vpn.api import views
from controller.vpn.api.agent import views as agent

router = SimpleRouter()
router.register("vpn", views.VpnViewSet)

# UUID with or without dashes: agents omit them.
ID = r"(?P<vpn>[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12})"

urlpatterns = [
    path("api/v1/controller/", include(router.urls)),
    path(
        "api/v1/controller/cert/<str:common_name>/group/", views.CertificateGroupView.as_view()
    ),
    re_path(rf"^controller/vpn/checksum/{ID}/$", agent.checksum),
    re_path(rf"^controller/vpn/download-config/{ID}/$", agent.download_config),
]
