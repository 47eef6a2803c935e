from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from networks.api import views as husarnet
from networks.api.freesdn import views as freesdn
from networks.api.join import views as devices
from networks.api.muster import views as muster
from networks.api.openwisp import views
from networks.api.pages import views as pages
from networks.engine.features import AREAS, VENDORS

router = SimpleRouter()
router.register("subnet", views.SubnetViewSet)

address = views.AddressViewSet.as_view(
    {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
)
addresses = views.SubnetAddressViewSet.as_view({"get": "list", "post": "create"})

networks = SimpleRouter()
networks.register("devices", muster.NodeViewSet, basename="overlay-device")
networks.register("", muster.NetworkViewSet, basename="network")
parts = SimpleRouter()
parts.register("members", muster.MemberViewSet, basename="network-member")
parts.register("codes", muster.CodeViewSet, basename="network-code")
parts.register("shares", muster.ShareViewSet, basename="network-share")

ipam = [
    path("import-subnet/", views.ImportView.as_view()),
    path("subnet/<str:subnet_id>/ip-address/", addresses),
    path("ip-address/<str:pk>/", address),
    *router.urls,
]

gateways = SimpleRouter()
gateways.register("change-sets", freesdn.ChangeSetViewSet, basename="change-set")
gateways.register("gateways", freesdn.GatewayViewSet, basename="gateway")

# Every vendor and every area by the same views. Some gateways are named with their site.
vendor_area = rf"gateway-(?P<vendor>{'|'.join(VENDORS)})-(?P<area>{'|'.join(AREAS)})"
of_vendor = rf"^api/v1/{vendor_area}/(?P<controller_id>[0-9a-f-]{{36}})/changes"
of_site = (
    rf"^api/v1/gateway-(?P<area>{'|'.join(AREAS)})/(?P<controller_id>[0-9a-f-]{{36}})"
    r"/sites/(?P<site_id>[0-9a-f-]{36})/changes"
)
a_change = r"^api/v1/gateway-vpn/changes/(?P<pk>[0-9a-f-]{36})"
feature = r"/(?P<feature>[a-z0-9_.]{1,128})/?$"

changes = [
    re_path(rf"{of_vendor}/?$", freesdn.ChangesView.as_view()),
    re_path(f"{of_vendor}{feature}", freesdn.StageView.as_view()),
    re_path(rf"{of_site}/?$", freesdn.ChangesView.as_view()),
    re_path(f"{of_site}{feature}", freesdn.StageView.as_view()),
    re_path(
        r"^api/v1/gateway-vpn/changes/by-gateway/(?P<gateway_id>[0-9a-f-]{36})/?$",
        freesdn.GatewayChangesView.as_view(),
    ),
    re_path(rf"{a_change}/?$", freesdn.ChangeView.as_view(), name="gateway-change"),
    re_path(rf"{a_change}/apply/?$", freesdn.ApplyView.as_view()),
    re_path(rf"{a_change}/approve/?$", freesdn.ApproveView.as_view()),
    re_path(rf"{a_change}/diff/?$", freesdn.DiffView.as_view()),
    re_path(rf"{a_change}/discard/?$", freesdn.DiscardView.as_view()),
    re_path(rf"{a_change}/hold/?$", freesdn.HoldView.as_view()),
    re_path(rf"{a_change}/rollback/?$", freesdn.RollBackView.as_view()),
    re_path(rf"{a_change}/stage-again/?$", freesdn.StageAgainView.as_view()),
    re_path(rf"{a_change}/submit/?$", freesdn.SubmitView.as_view()),
    re_path(
        rf"^api/v1/gateways/(?P<gateway_id>[0-9a-f-]{{36}})/live{feature}",
        freesdn.LiveView.as_view(),
    ),
    *(
        re_path(rf"^api/v1/{kind}/?$", freesdn.KindView.as_view(), {"kind": kind})
        for kind in freesdn.KINDS
    ),
    path("api/v1/gateways/features/", freesdn.FeaturesView.as_view()),
    path("api/v1/", include(gateways.urls)),
]

urlpatterns = [
    *changes,
    path("api/v1/ipam/", include(ipam)),
    path("api/v1/networks/", include(networks.urls)),
    re_path(r"^api/v1/networks/(?P<network>\d{1,18})/", include(parts.urls)),
    # With and without a slash at the end: a redirect would lose what is sent.
    re_path(r"^api/networks/?$", husarnet.NetworksView.as_view()),
    re_path(r"^api/network/(?P<pk>\d{1,18})/?$", husarnet.NetworkView.as_view()),
    re_path(r"^api/status/(?P<address>[0-9a-fA-F:.%]{2,64})/?$", husarnet.StatusView.as_view()),
    path("api/join/", devices.JoinView.as_view()),
    path("api/join/register/", devices.RegisterView.as_view()),
    path("api/join/config/", devices.ConfigView.as_view()),
    path("api/join/leave/", devices.LeaveView.as_view()),
    path("api/join/muster-join", devices.client, name="muster-join"),
    re_path(r"^husarnet/(?P<digits>[0-9a-fA-F]{56})/?$", pages.DevicePage.as_view()),
    path("invitation/<str:token>", pages.InvitationPage.as_view(), name="invitation"),
    re_path(r"^api-token/?$", husarnet.TokenPage.as_view(), name="api-token"),
]
