from django.urls import URLPattern, URLResolver, path, re_path

from controller.base.values import UUID
from controller.discovery.api.freesdn import views

A_SCAN = rf"^api/v1/discovery/scan/(?P<pk>{UUID})"

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^api/v1/discovery/scan/?$", views.StartView.as_view(), name="discovery-scan"),
    re_path(rf"{A_SCAN}/?$", views.ScanView.as_view()),
    re_path(rf"{A_SCAN}/progress/?$", views.ProgressView.as_view()),
    re_path(rf"{A_SCAN}/results/?$", views.ResultsView.as_view()),
    re_path(rf"{A_SCAN}/cancel/?$", views.CancelView.as_view()),
    path("api/v1/discovery/scans/history", views.HistoryView.as_view()),
    path("api/v1/discovery/scans/latest/results", views.LatestView.as_view()),
    re_path(r"^api/v1/discovery/adopt/?$", views.AdoptView.as_view()),
    re_path(r"^api/v1/discovery/adopt/bulk/?$", views.AdoptManyView.as_view()),
    re_path(r"^api/v1/discovery/fingerprint/?$", views.FingerprintView.as_view()),
    re_path(r"^api/v1/discovery/match-drivers/?$", views.MatchView.as_view()),
    re_path(r"^api/v1/discovery/test-credentials/?$", views.CredentialsView.as_view()),
]
