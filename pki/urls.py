from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from pki.api.status.views import CaCertificateView, CrlView, OcspView
from pki.api.views import CaViewSet, CertViewSet

router = SimpleRouter()
router.register("ca", CaViewSet)
router.register("cert", CertViewSet)

urlpatterns = [
    path("api/v1/controller/", include(router.urls)),
    # The documented path ends in a slash, the one that clients know does not.
    path(
        "api/v1/controller/ca/<int:pk>/crl",
        CaViewSet.as_view({"get": "crl"}, schema=None),
        name="ca-crl-file",
    ),
    re_path(
        r"^pki/crl/(?P<pk>[0-9]{1,18})(?P<suffix>\.pem)?$", CrlView.as_view(), name="pki_crl"
    ),
    re_path(r"^pki/ca/(?P<pk>[0-9]{1,18})\.crt$", CaCertificateView.as_view(), name="pki_ca"),
    path("pki/ocsp/", OcspView.as_view(), name="pki_ocsp"),
    path("pki/ocsp/<path:encoded>", OcspView.as_view(), name="pki_ocsp_get"),
]
