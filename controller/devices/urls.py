from django.urls import include, path
from rest_framework.routers import SimpleRouter

from controller.devices.api.views import DeviceViewSet, GroupViewSet

router = SimpleRouter()
router.register("device", DeviceViewSet)
router.register("group", GroupViewSet)

urlpatterns = [path("api/v1/controller/", include(router.urls))]
