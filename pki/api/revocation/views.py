"""Public endpoints: CRLs, OCSP and CA certificates."""

import base64
import binascii
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response
from django.utils.decorators import method_decorator
from django.utils.http import http_date, quote_etag
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from controller.base.errors import Conflict
from pki import rules
from pki.engine.ocsp import LARGEST_REQUEST, malformed
from pki.models import Ca

# Caches must not keep a CRL for its whole lifetime, so that revocations take effect soon.
CACHE = "public, max-age=300"
OCSP_RESPONSE = "application/ocsp-response"


class CrlView(View):
    """CRL of a CA: `/pki/crl/<ca>` in DER (RFC 5280), `/pki/crl/<ca>.pem` for OpenVPN."""

    def get(self, request: HttpRequest, pk: int, suffix: str = "") -> HttpResponse:
        try:
            crl = rules.current_list(get_object_or_404(Ca, pk=pk))
        except Conflict as error:
            return HttpResponse(f"{error}\n", status=409, content_type="text/plain")
        as_pem = suffix == ".pem"
        response = HttpResponse(
            crl.pem if as_pem else crl.encoded,
            content_type="application/x-pem-file" if as_pem else "application/pkix-crl",
            headers={
                "Cache-Control": CACHE,
                "Expires": http_date(crl.next_update.timestamp()),
                "Last-Modified": http_date(crl.this_update.timestamp()),
                "ETag": quote_etag(f"{crl.number}{suffix}"),
            },
        )
        conditional: Any = get_conditional_response(
            request, etag=response["ETag"], response=response
        )
        return conditional if isinstance(conditional, HttpResponse) else response


class CaCertificateView(View):
    """CA certificate, at the caIssuers URL of the certificates it signed."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        ca = get_object_or_404(Ca, pk=pk)
        return HttpResponse(
            ca.parsed.public_bytes(Encoding.DER),
            content_type="application/pkix-cert",
            headers={"Cache-Control": CACHE},
        )


@method_decorator(csrf_exempt, name="dispatch")
class OcspView(View):
    """OCSP responder (RFC 6960, appendix A): POST body or base64 in the path."""

    def post(self, request: HttpRequest, encoded: str = "") -> HttpResponse:
        # Limit the body to the largest accepted request.
        return self._answer(request.read(LARGEST_REQUEST + 1))

    def get(self, request: HttpRequest, encoded: str = "") -> HttpResponse:
        try:
            padded = encoded.replace(" ", "+") + "=" * (-len(encoded) % 4)
            question = base64.b64decode(padded, validate=True)
        except (binascii.Error, ValueError):
            return HttpResponse(malformed(), content_type=OCSP_RESPONSE)
        response = self._answer(question)
        response["Cache-Control"] = CACHE
        return response

    def _answer(self, question: bytes) -> HttpResponse:
        return HttpResponse(rules.status_of(question), content_type=OCSP_RESPONSE)
