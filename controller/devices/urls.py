from django.urls import include, path
from rest_framework.routers import SimpleRouter

from controller.devices.api.views import DeviceViewSet

router = SimpleRouter()
router.register("device", DeviceViewSet)

urlpatterns = [path("api/v1/controller/", include(router.urls))]
