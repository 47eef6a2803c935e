from django.urls import include, path

urlpatterns = [
    path("", include("networks.gateways.urls")),
    path("", include("networks.ipam.urls")),
    path("", include("networks.overlay.urls")),
]
