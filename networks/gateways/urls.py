from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from controller.base.values import UUID
from networks.gateways.api import views
from networks.gateways.api.views import hypervisor, web_client, web_pages
from networks.gateways.engine.features import AREAS, VENDORS

gateways = SimpleRouter()
gateways.register("change-sets", views.ChangeSetViewSet, basename="change-set")
gateways.register("gateway-backups", views.BackupViewSet, basename="gateway-backup")
gateways.register(
    "gateway-backup-policies", views.BackupPolicyViewSet, basename="gateway-backup-policy"
)
gateways.register("gateways", views.GatewayViewSet, basename="gateway")

# The same views serve every vendor and area. Some URLs contain the site.
vendor_area = rf"gateway-(?P<vendor>{'|'.join(VENDORS)})-(?P<area>{'|'.join(AREAS)})"
of_vendor = rf"^api/v1/{vendor_area}/(?P<controller_id>{UUID})/changes"
of_site = (
    rf"^api/v1/gateway-(?P<area>{'|'.join(AREAS)})/(?P<controller_id>{UUID})"
    rf"/sites/(?P<site_id>{UUID})/changes"
)
gateway_id = rf"(?P<gateway_id>{UUID})"
controller_id = rf"(?P<controller_id>{UUID})"
a_hypervisor = rf"^api/v1/hypervisor/controllers/{controller_id}"
what = r"(?P<what>[a-z0-9][a-z0-9/_-]{0,63}?)/?$"
a_gateway = rf"^api/v1/gateways/(?P<gateway_id>{UUID})"
a_change = rf"^api/v1/gateway-vpn/changes/(?P<pk>{UUID})"
feature = r"/(?P<feature>[a-z0-9_.]{1,128})/?$"

urlpatterns = [
    re_path(rf"{of_vendor}/?$", views.ChangesView.as_view()),
    re_path(f"{of_vendor}{feature}", views.StageView.as_view()),
    re_path(rf"{of_site}/?$", views.ChangesView.as_view()),
    re_path(f"{of_site}{feature}", views.StageView.as_view()),
    re_path(
        rf"^api/v1/gateway-vpn/changes/by-gateway/(?P<gateway_id>{UUID})/?$",
        views.GatewayChangesView.as_view(),
    ),
    re_path(rf"{a_change}/?$", views.ChangeView.as_view(), name="gateway-change"),
    re_path(rf"{a_change}/apply/?$", views.ApplyView.as_view()),
    re_path(rf"{a_change}/approve/?$", views.ApproveView.as_view()),
    re_path(rf"{a_change}/diff/?$", views.DiffView.as_view()),
    re_path(rf"{a_change}/discard/?$", views.DiscardView.as_view()),
    re_path(rf"{a_change}/hold/?$", views.HoldView.as_view()),
    re_path(rf"{a_change}/rollback/?$", views.RollBackView.as_view()),
    re_path(rf"{a_change}/stage-again/?$", views.StageAgainView.as_view()),
    re_path(rf"{a_change}/submit/?$", views.SubmitView.as_view()),
    re_path(
        rf"{a_gateway}/live{feature}",
        views.LiveView.as_view(),
    ),
    re_path(rf"{a_gateway}/status/?$", views.StatusView.as_view()),
    re_path(rf"{a_gateway}/status/(?P<part>[a-z]{{1,32}})/?$", views.StatusPartView.as_view()),
    re_path(rf"{a_gateway}/(?P<tool>ping|traceroute)/?$", views.ToolView.as_view()),
    *(
        re_path(rf"^api/v1/{kind}/?$", views.KindView.as_view(), {"kind": kind})
        for kind in views.KINDS
    ),
    re_path(r"^api/v1/firewall/gateways/?$", web_client.FirewallsView.as_view()),
    re_path(r"^api/v1/firewall/gateways/summary/?$", web_client.FirewallSummaryView.as_view()),
    re_path(rf"^api/v1/firewall/gateways/{gateway_id}/?$", web_client.FirewallView.as_view()),
    re_path(
        rf"^api/v1/firewall/gateways/{gateway_id}/{what}", web_pages.FirewallReadView.as_view()
    ),
    re_path(r"^api/v1/controllers/?$", web_client.ControllersView.as_view()),
    re_path(rf"^api/v1/controllers/{gateway_id}/?$", web_client.ControllerView.as_view()),
    *(
        re_path(rf"^api/v1/firewall/{name}/?$", web_pages.EmptyView.as_view())
        for name in ("rules", "nat", "vpn", "logs", "ids/alerts")
    ),
    re_path(
        r"^api/v1/firewall/vpn/stats/?$",
        web_pages.CountsView.as_view(names=("up", "down", "error")),
    ),
    re_path(
        r"^api/v1/firewall/ids/alerts/stats/?$",
        web_pages.CountsView.as_view(
            names=("critical", "high", "medium", "low", "unacknowledged")
        ),
    ),
    re_path(r"^api/v1/hypervisor/fleet/dashboard/?$", hypervisor.FleetView.as_view()),
    re_path(
        r"^api/v1/hypervisor/fleet/task-statistics/?$", hypervisor.TaskCountsView.as_view()
    ),
    re_path(rf"{a_hypervisor}/dashboard/?$", hypervisor.ClusterView.as_view()),
    re_path(rf"{a_hypervisor}/nodes/?$", hypervisor.NodesView.as_view()),
    re_path(rf"{a_hypervisor}/vms/?$", hypervisor.GuestsView.as_view()),
    re_path(rf"{a_hypervisor}/{what}", hypervisor.HypervisorReadView.as_view()),
    # The client's sites of UniFi are the vendor's own.
    *(
        re_path(rf"^api/v1/{head}/{what}", web_pages.AreaReadView.as_view())
        for head in (
            rf"{vendor_area}/{controller_id}/sites/(?P<site>[\w.-]{{1,64}})",
            rf"{vendor_area}/{controller_id}",
            rf"gateway-(?P<vendor>{'|'.join(VENDORS)})/{controller_id}",
        )
    ),
    path("api/v1/gateways/features/", views.FeaturesView.as_view()),
    path("api/v1/", include(gateways.urls)),
]
