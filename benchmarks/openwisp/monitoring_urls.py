from django.urls import include, path

from benchmarks.openwisp.urls import urlpatterns as of_controller

urlpatterns = [*of_controller, path("", include("openwisp_monitoring.urls"))]
