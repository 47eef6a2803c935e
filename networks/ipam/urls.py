from django.urls import include, path
from rest_framework.routers import SimpleRouter

from networks.ipam.api import views

router = SimpleRouter()
router.register("subnet", views.SubnetViewSet)

address = views.AddressViewSet.as_view(
    {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
)
addresses = views.SubnetAddressViewSet.as_view({"get": "list", "post": "create"})

ipam = [
    path("import-subnet/", views.ImportView.as_view()),
    path("subnet/<str:subnet_id>/ip-address/", addresses),
    path("ip-address/<str:pk>/", address),
    *router.urls,
]

urlpatterns = [path("api/v1/ipam/", include(ipam))]
