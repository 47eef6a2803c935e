"""Enrollment over Secure Transport (EST, RFC 7030): simple enrollment.

The label in the path is the CA's id. A device authenticates with its id and key, and may
only request its own names.
"""

import base64
import binascii
import secrets
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from cryptography import x509
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from controller.base.errors import NotPermitted, Refused
from controller.devices.models import Device
from pki.api.acme.views.accounts import holder_of
from pki.engine.bundles import certificates_only
from pki.engine.errors import Rejected
from pki.engine.requests import LARGEST_REQUEST, read_request
from pki.models import Ca, Enrollment
from pki.rules.enrollment import Holder, check_holder, enroll

LARGEST_BODY = 2 * LARGEST_REQUEST
UNAUTHORIZED = {"WWW-Authenticate": 'Basic realm="device id and key"'}


@method_decorator(csrf_exempt, name="dispatch")
class EstView(View):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        authorities = Ca.objects.exclude(enrollment=Enrollment.OFF).exclude(revoked=True)
        self.ca = get_object_or_404(authorities, pk=kwargs.pop("ca"))
        try:
            return super().dispatch(request, *args, **kwargs)
        except NotPermitted as refused:
            return _words(str(refused), 403)
        except Refused as refused:
            return _words(str(refused), 400)


class CaCertsView(EstView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return _pkcs7(self.ca.authority.chain())


class CsrAttributesView(EstView):
    def get(self, request: HttpRequest) -> HttpResponse:
        """Return no attributes: CSRs need nothing beyond the default (RFC 7030, 4.5.2)."""
        return HttpResponse(status=204)


class EnrollView(EstView):
    """Enrollment and re-enrollment, which replaces the certificate's key."""

    def post(self, request: HttpRequest) -> HttpResponse:
        device = device_of(request)
        if device is None:
            return _words("Sign in with the device's id and key.", 401, UNAUTHORIZED)
        holder = holder_of(device)
        check_holder(self.ca, holder)
        csr = _decoded(request.read(LARGEST_BODY + 1))
        cert = enroll(self.ca, csr, names=_names(csr, holder), organization=holder.organization)
        return _pkcs7([cert.parsed])


def device_of(request: HttpRequest) -> Device | None:
    """Return the device with the id and key of the Basic header, or None."""
    kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        user, _, key = base64.b64decode(encoded, validate=True).decode().partition(":")
        pk = UUID(user)
    except (binascii.Error, ValueError):
        return None
    devices = Device.objects.filter(is_deactivated=False, organization__is_active=True)
    found: Device | None = devices.select_related("organization").filter(pk=pk).first()
    if kind.lower() != "basic" or found is None or not found.key:
        return None
    return found if secrets.compare_digest(found.key.encode(), key.encode()) else None


def _names(csr: bytes, holder: Holder) -> list[str]:
    try:
        asked = read_request(csr).dns_names
    except Rejected as rejected:
        raise Refused(rejected.errors) from rejected
    if not asked or set(asked) - set(holder.names):
        told = ", ".join(sorted(holder.names))
        raise NotPermitted(f"The names of this device are {told}; ask for those alone.")
    return asked


def _decoded(body: bytes) -> bytes:
    """Decode base64 DER, with or without PEM armor."""
    if body.lstrip().startswith(b"-----BEGIN"):
        return body
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error as error:
        raise Refused("The request is not base64.") from error


def _pkcs7(certificates: Sequence[x509.Certificate]) -> HttpResponse:
    body = base64.encodebytes(certificates_only(certificates))
    return HttpResponse(
        body,
        content_type="application/pkcs7-mime; smime-type=certs-only",
        headers={"Content-Transfer-Encoding": "base64"},
    )


def _words(text: str, status: int, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain", headers=headers)
