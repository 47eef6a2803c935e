from django.urls import include, path
from rest_framework.routers import SimpleRouter

from controller.connections.api.terminal.views import TerminalConsumer, TerminalViewSet
from controller.connections.api.views import (
    BatchViewSet,
    CommandViewSet,
    ConnectionViewSet,
    CredentialsViewSet,
    MassCommandViewSet,
)

router = SimpleRouter()
router.register("credential", CredentialsViewSet)

terminals = SimpleRouter()
terminals.register("terminal", TerminalViewSet)

batches = SimpleRouter()
batches.register("command-batch", BatchViewSet)

of_device = SimpleRouter()
of_device.register("connection", ConnectionViewSet)
of_device.register("command", CommandViewSet)

sockets = [path("api/v1/ws/terminal", TerminalConsumer.as_asgi())]
urlpatterns = [
    path(
        "api/v1/controller/batch-command/execute/",
        MassCommandViewSet.as_view({"get": "plan", "post": "create"}),
    ),
    path("api/v1/controller/batch-command/", MassCommandViewSet.as_view({"get": "list"})),
    path(
        "api/v1/controller/batch-command/<uuid:pk>/",
        MassCommandViewSet.as_view({"get": "retrieve"}, detail=True),
    ),
    path("api/v1/controller/", include(router.urls)),
    path("api/v1/controller/", include(batches.urls)),
    path("api/v1/controller/", include(terminals.urls)),
    # Both paths exist in the original: one is documented, the other served.
    path("api/v1/connection/", include((router.urls, "documented"))),
    path("api/v1/controller/device/<uuid:device_id>/", include(of_device.urls)),
]
