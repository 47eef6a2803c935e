from django.urls import include, path
from rest_framework.routers import SimpleRouter

from controller.accounts.api import views
from controller.accounts.api.auth import views as signin
from controller.accounts.api.events.views import EventConsumer, WebClientConsumer
from controller.accounts.api.freesdn import views as freesdn
from controller.accounts.api.logs import views as logs
from controller.accounts.api.pages import views as pages
from controller.accounts.api.sso import views as sso
from controller.accounts.api.web_client import views as web_client
from controller.base.values import UUID

auth = {
    "login": signin.LoginView,
    "login/mfa": signin.SecondFactorView,
    "token": signin.FormTokenView,
    "refresh": signin.RefreshView,
    "register": signin.RegisterView,
    "me": signin.MeView,
    "logout": signin.LogoutView,
    "logout-all": signin.LogoutEverywhereView,
    "sessions": signin.SessionsView,
    "sessions/<uuid:pk>": signin.SessionView,
    "password": signin.PasswordView,
    "password/reset-request": signin.ResetRequestView,
    "password/reset": signin.ResetView,
    "email/confirm": signin.ConfirmEmailView,
    "invitation/accept": signin.AcceptInvitationView,
    "mfa/setup": signin.SecondFactorSetupView,
    "mfa/enable": signin.SecondFactorOnView,
    "mfa/disable": signin.SecondFactorOffView,
    "saml/<path:rest>": signin.SamlView,
}

users = SimpleRouter()
users.register("organization", views.OrganizationViewSet)
users.register("group", views.GroupViewSet)
users.register("user", views.UserViewSet)
users.register(rf"user/(?P<user_id>{UUID})/email", views.EmailViewSet)
router = SimpleRouter()
router.register(
    "audit/security-events", freesdn.SecurityEventViewSet, basename="security-event"
)
router.register("audit/logs", freesdn.AuditViewSet, basename="audit")
router.register("invitations", freesdn.InvitationViewSet, basename="invitation")
router.register("sites", freesdn.SiteViewSet, basename="site")
web_client_users = SimpleRouter(use_regex_path=False)
web_client_users.register("users", web_client.UserViewSet, basename="web-client-user")

# WebSockets; collected by controller/urls.py.
sockets = [
    path("api/v1/ws/events", EventConsumer.as_asgi()),
    path("api/v1/ws", WebClientConsumer.as_asgi()),
]

# django-allauth resolves the second route by name, with the provider's id.
single_sign_on = [
    path("api/v1/auth/oidc/login", sso.StartView.as_view(), name="auth_oidc_login"),
    path(
        "api/v1/auth/oidc/<slug:provider_id>/callback",
        sso.CallbackView.as_view(),
        name="openid_connect_callback",
    ),
    path("api/v1/auth/oidc/done", sso.DoneView.as_view(), name="auth_oidc_done"),
]

# Asked by FreeSDN's web client.
for_web_client = [
    path("setup/status", web_client.SetupStatusView.as_view()),
    path("auth/sso/providers/public", web_client.ProvidersView.as_view()),
    path("modules/", web_client.ModuleListView.as_view()),
    path("modules/states", web_client.ModuleStatesView.as_view()),
    path("modules/org/<uuid:organization_id>", web_client.ModulesView.as_view()),
    path("modules/org/<uuid:organization_id>/navigation", web_client.NavigationView.as_view()),
    path("system/settings/adapter-read-only", web_client.ReadOnlyView.as_view()),
    path("roles/", web_client.RolesView.as_view()),
    path("organizations", web_client.OrganizationsView.as_view()),
    path("organizations/<uuid:organization_id>", web_client.OrganizationView.as_view()),
    path("audit/security", logs.AlertedEventViewSet.as_view({"get": "list"})),
    path("logs", logs.LogViewSet.as_view({"get": "list"})),
    path("logs/health", logs.LogHealthView.as_view()),
    path("logs/stats", logs.LogStatsView.as_view()),
    path("access-control/<path:rest>", web_client.DoorView.as_view()),
]

urlpatterns = [
    *single_sign_on,
    path("api/v1/", include(for_web_client)),
    path("api/v1/audit/validate/", freesdn.AuditValidateView.as_view(), name="audit_validate"),
    path("api/v1/audit/export/", freesdn.AuditExportView.as_view(), name="audit_export"),
    path("api/v1/", include(router.urls)),
    path("api/v1/sites/<uuid:site_id>/grants/", freesdn.GrantsView.as_view()),
    path("api/v1/sites/<uuid:site_id>/grants/<uuid:user_id>/", freesdn.GrantView.as_view()),
    path("api/v1/api-keys/", freesdn.KeysView.as_view()),
    path("api/v1/api-keys/<uuid:pk>/", freesdn.KeyView.as_view()),
    path("api/v1/users/token/", views.TokenView.as_view(), name="users_token"),
    path("api/v1/users/user/password/change/", views.OwnPasswordView.as_view()),
    path("api/v1/users/password/reset/", views.PasswordResetView.as_view()),
    path("api/v1/users/password/reset/confirm/", views.PasswordResetConfirmView.as_view()),
    path("api/v1/users/user/<uuid:user_id>/password/", views.PasswordView.as_view()),
    path("api/v1/users/", include(users.urls)),
    path("api/v1/", include(web_client_users.urls)),
    path("admin/password_change/", pages.PasswordPage.as_view()),
    path("admin/reset/<str:uid>/<str:token>/", pages.ChoosePasswordPage.as_view()),
    path("account/email/<str:token>/", pages.ConfirmationPage.as_view()),
    path("account/invitation/<str:token>/", pages.InvitationPage.as_view()),
    *(
        path(f"api/v1/auth/{route}", view.as_view(), name=f"auth_{view.__name__}")
        for route, view in auth.items()
    ),
]
