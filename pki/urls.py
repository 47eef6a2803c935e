from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from pki.api.acme.views import accounts, orders
from pki.api.est.views import CaCertsView, CsrAttributesView, EnrollView
from pki.api.revocation.views import CaCertificateView, CrlView, OcspView
from pki.api.views import CaViewSet, CertViewSet

router = SimpleRouter()
router.register("ca", CaViewSet)
router.register("cert", CertViewSet)

acme = [
    path("directory", accounts.DirectoryView.as_view(), name="acme_directory"),
    path("new-nonce", accounts.NewNonceView.as_view(), name="acme_new_nonce"),
    path("new-account", accounts.NewAccountView.as_view(), name="acme_new_account"),
    path("account/<uuid:pk>", accounts.AccountView.as_view(), name="acme_account"),
    path("account/<uuid:pk>/orders", accounts.AccountOrdersView.as_view(), name="acme_orders"),
    path("key-change", accounts.KeyChangeView.as_view(), name="acme_key_change"),
    path("new-order", orders.NewOrderView.as_view(), name="acme_new_order"),
    path("order/<uuid:pk>", orders.OrderView.as_view(), name="acme_order"),
    path("order/<uuid:pk>/finalize", orders.FinalizeView.as_view(), name="acme_finalize"),
    path(
        "order/<uuid:pk>/certificate", orders.CertificateView.as_view(), name="acme_certificate"
    ),
    path(
        "authorization/<uuid:pk>", orders.AuthorizationView.as_view(), name="acme_authorization"
    ),
    path("challenge/<uuid:pk>", orders.ChallengeView.as_view(), name="acme_challenge"),
    path("revoke-cert", orders.RevokeView.as_view(), name="acme_revoke_cert"),
]

est = [
    path("cacerts", CaCertsView.as_view(), name="est_cacerts"),
    path("csrattrs", CsrAttributesView.as_view(), name="est_csrattrs"),
    path("simpleenroll", EnrollView.as_view(), name="est_simpleenroll"),
    path("simplereenroll", EnrollView.as_view(), name="est_simplereenroll"),
]

urlpatterns = [
    path("api/v1/controller/", include(router.urls)),
    # The documented path has a trailing slash; the one that clients use has none.
    path(
        "api/v1/controller/ca/<int:pk>/crl",
        CaViewSet.as_view({"get": "crl"}, schema=None),
        name="ca-crl-file",
    ),
    re_path(
        r"^pki/crl/(?P<pk>[0-9]{1,18})(?P<suffix>\.pem)?$", CrlView.as_view(), name="pki_crl"
    ),
    re_path(r"^pki/ca/(?P<pk>[0-9]{1,18})\.crt$", CaCertificateView.as_view(), name="pki_ca"),
    path("pki/acme/<int:ca>/", include(acme)),
    path(".well-known/est/<int:ca>/", include(est)),
    path("pki/ocsp/", OcspView.as_view(), name="pki_ocsp"),
    path("pki/ocsp/<path:encoded>", OcspView.as_view(), name="pki_ocsp_get"),
]
