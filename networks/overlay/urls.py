from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from networks.overlay.api import views as husarnet
from networks.overlay.api.join import views as devices
from networks.overlay.api.muster import views as muster
from networks.overlay.api.pages import views as pages

networks = SimpleRouter()
networks.register("devices", muster.NodeViewSet, basename="overlay-device")
networks.register("relays", muster.RelayViewSet, basename="relay")
networks.register("", muster.NetworkViewSet, basename="network")
parts = SimpleRouter()
parts.register("members", muster.MemberViewSet, basename="network-member")
parts.register("codes", muster.CodeViewSet, basename="network-code")
parts.register("ways", muster.WayViewSet, basename="network-way")
parts.register("subnets", muster.SubnetViewSet, basename="network-subnet")
parts.register("shares", muster.ShareViewSet, basename="network-share")

urlpatterns = [
    path("api/v1/networks/", include(networks.urls)),
    re_path(r"^api/v1/networks/(?P<network>\d{1,18})/", include(parts.urls)),
    # Both with and without a trailing slash: a redirect would drop the request body.
    re_path(r"^api/networks/?$", husarnet.NetworksView.as_view()),
    re_path(r"^api/network/(?P<pk>\d{1,18})/?$", husarnet.NetworkView.as_view()),
    re_path(r"^api/status/(?P<address>[0-9a-fA-F:.%]{2,64})/?$", husarnet.StatusView.as_view()),
    path("api/join/", devices.JoinView.as_view()),
    path("api/join/register/", devices.RegisterView.as_view()),
    path("api/join/config/", devices.ConfigView.as_view()),
    path("api/join/ways/", devices.WaysView.as_view()),
    path("api/join/leave/", devices.LeaveView.as_view()),
    path("api/join/renewal/<str:token>/", devices.RenewalView.as_view()),
    path("network-device/<str:token>/", pages.RenewalPage.as_view(), name="renewal"),
    path("api/join/muster-join", devices.client, name="muster-join"),
    re_path(r"^husarnet/(?P<digits>[0-9a-fA-F]{56})/?$", pages.DevicePage.as_view()),
    path("invitation/<str:token>", pages.InvitationPage.as_view(), name="invitation"),
    re_path(r"^api-token/?$", husarnet.TokenPage.as_view(), name="api-token"),
]
