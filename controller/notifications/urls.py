from typing import Any

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from controller.notifications.api.views import (
    DeliveryViewSet,
    MutesView,
    MuteView,
    NotificationViewSet,
    OrganizationOfUserView,
    OrganizationPreferenceView,
    PreferenceOfUserViewSet,
    PreferenceViewSet,
    WebhookViewSet,
)
from controller.notifications.api.web_client.views import (
    AlertCountsView,
    BellView,
    IncidentCountsView,
    MarkAllView,
    MarkView,
    UnreadCountView,
)

router = SimpleRouter()
router.register("notification", NotificationViewSet)
router.register("webhook", WebhookViewSet)
router.register("delivery", DeliveryViewSet)

one: dict[str, Any] = {"get": "retrieve", "put": "update", "patch": "partial_update"}
settings = PreferenceViewSet.as_view({"get": "list"})
setting = PreferenceViewSet.as_view(one)
# Preferences of any user; the user's own have no name in the path.
settings_of = PreferenceOfUserViewSet.as_view({"get": "list"})
setting_of = PreferenceOfUserViewSet.as_view(one)

urlpatterns = [
    path("api/v1/notifications/notification/ignore/", MutesView.as_view({"get": "list"})),
    path(
        "api/v1/notifications/notification/ignore/"
        "<str:app_label>/<str:model_name>/<str:object_id>/",
        MuteView.as_view(),
    ),
    path("api/v1/notifications/user/user-setting/", settings),
    path("api/v1/notifications/user/user-setting/<uuid:pk>/", setting),
    path("api/v1/notifications/user/<uuid:user_id>/user-setting/", settings_of),
    path("api/v1/notifications/user/<uuid:user_id>/user-setting/<uuid:pk>/", setting_of),
    path(
        "api/v1/notifications/user/<uuid:user_id>/organization/<uuid:organization_id>/setting/",
        OrganizationOfUserView.as_view(),
    ),
    path(
        "api/v1/notifications/organization/<uuid:organization_id>/setting/",
        OrganizationPreferenceView.as_view(),
    ),
    path("api/v1/notifications/in-app", BellView.as_view()),
    path("api/v1/notifications/in-app/unread-count", UnreadCountView.as_view()),
    path("api/v1/notifications/in-app/mark", MarkView.as_view()),
    path("api/v1/notifications/in-app/mark-all-read", MarkAllView.as_view()),
    path("api/v1/alert-rules/stats", AlertCountsView.as_view()),
    path("api/v1/correlation/stats", IncidentCountsView.as_view()),
    path("api/v1/notifications/", include(router.urls)),
]
