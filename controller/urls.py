"""Root URL configuration: each app adds its own routes."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path, re_path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from controller.accounts import urls as accounts
from controller.base.derived_names import translate_derived_names
from controller.connections import urls as connections
from controller.dialects import middleware
from controller.dialects.consumers import NoSuchSocket
from controller.dialects.health import health, live, ready
from controller.dialects.metrics import metrics
from controller.dialects.openapi.views import Document, Explorer, Index, Reference
from controller.firmware import urls as firmware
from geo import urls as geo
from supervisor_proxy import urls as supervisor_proxy

# Lazy: the hashed file name is known only after collectstatic.
FAVICON = lazy(static, str)("portal/favicon.svg")

# Here, as all models and admin classes are loaded, and no page is shown yet.
translate_derived_names()

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    # First, because agents send the most requests.
    path("", include("controller.configs.urls")),
    path("", include("controller.accounts.urls")),
    path("", include("controller.notifications.urls")),
    path("", include("controller.devices.urls")),
    path("", include("controller.connections.urls")),
    path("", include("controller.vpn.urls")),
    path("", include("controller.discovery.urls")),
    path("", include("controller.monitoring.urls")),
    path("", include("pki.urls")),
    path("", include("geo.urls")),
    path("", include("networks.urls")),
    path("", include("supervisor_proxy.urls")),
    path("", include("controller.firmware.urls")),
    path("api/v1/", Index.as_view(), name="api_index"),
    path("api/v1/openapi.json", Document.as_view(), name="openapi"),
    path("api/v1/docs/", Explorer.as_view(url_name="openapi"), name="docs"),
    path("api/v1/redoc/", Reference.as_view(url_name="openapi"), name="redoc"),
    path("favicon.ico", RedirectView.as_view(url=FAVICON)),
    # Links that were made when terminals belonged to supervisors.
    path(
        "admin/supervisor_proxy/terminal/<path:rest>",
        RedirectView.as_view(url="/admin/connections/terminal/%(rest)s", query_string=True),
    ),
    path("admin/", admin.site.urls),
    path("health", health),
    path("health/", health),
    path("health/live", live),
    path("health/ready", ready),
    path("api/v1/health", health),
    path("api/v1/health/live", live),
    path("api/v1/health/ready", ready),
    path("metrics", metrics),
]
# --- WebSockets
sockets = [
    *accounts.sockets,
    *connections.sockets,
    *supervisor_proxy.sockets,
    *firmware.sockets,
    *geo.sockets,
    re_path("", NoSuchSocket.as_asgi()),
]

handler400 = middleware.bad_request
handler403 = middleware.forbidden
handler404 = middleware.not_found
handler500 = middleware.server_error
