from django.urls import include, path
from rest_framework.routers import SimpleRouter

from geo.api.sockets.views import LocationConsumer, LocationsConsumer
from geo.api.views.devices import DeviceCoordinates, DeviceLocationViewSet, GeoSettings
from geo.api.views.floor_plans import FloorPlanImageView, FloorPlanViewSet
from geo.api.views.locations import LocationViewSet

router = SimpleRouter()
router.register("location", LocationViewSet)
router.register("floorplan", FloorPlanViewSet)

place = DeviceLocationViewSet.as_view(
    {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
)

sockets = [
    path("ws/loci/location/", LocationsConsumer.as_asgi()),
    path("ws/loci/location/<uuid:pk>/", LocationConsumer.as_asgi()),
]
urlpatterns = [
    path("api/v1/controller/", include(router.urls)),
    path("api/v1/controller/device/<str:pk>/location/", place),
    path("api/v1/controller/device/<str:pk>/coordinates/", DeviceCoordinates.as_view()),
    path("api/v1/controller/organization/<str:pk>/geo-settings/", GeoSettings.as_view()),
    path(
        "media/floorplans/<uuid:pk>.<slug:kind>",
        FloorPlanImageView.as_view(),
        name="floor-plan-image",
    ),
]
