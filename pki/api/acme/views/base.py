"""Base of ACME views: nonces, JWS signatures, accounts and problem documents."""

import secrets
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    JsonResponse,
)
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from controller.base.errors import NotPermitted, Refused
from controller.devices.models import Device
from pki.api.acme import serializers
from pki.engine import jws
from pki.engine.errors import Rejected
from pki.engine.keys import PublicKey
from pki.models import AcmeAccount, Ca, Enrollment

LARGEST_MESSAGE = 64 * 1024
NONCE_SECONDS = 3600
LONGEST_NONCE = 64


@method_decorator(csrf_exempt, name="dispatch")
class AcmeView(View):
    """A signed request, handled by `act`; `self.account` is set if a key id signed it."""

    # Only new accounts and revocations may be signed with a bare key (RFC 8555, 6.2).
    takes_key = False
    takes_account = True

    act: Callable[..., HttpResponse]

    ca: Ca
    base: str
    url: str
    links: list[str]
    message: jws.Message
    account: AcmeAccount | None
    key: PublicKey

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.ca = get_object_or_404(
            Ca.objects.exclude(enrollment=Enrollment.OFF).exclude(revoked=True),
            pk=kwargs.pop("ca"),
        )
        portal = settings.MUSTER_PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")
        self.base = f"{portal}/pki/acme/{self.ca.pk}"
        self.links = [f'<{self.base}/directory>;rel="index"']
        self.url = f"{portal}{request.get_full_path()}"
        try:
            response = super().dispatch(request, *args, **kwargs)
        except (Refused, Rejected) as error:
            status, body = serializers.problem(error)
            response = JsonResponse(
                body, status=status, content_type="application/problem+json"
            )
        response["Replay-Nonce"] = new_nonce()
        response["Link"] = ", ".join(self.links)
        response["Cache-Control"] = "no-store"
        return response

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        body = request.read(LARGEST_MESSAGE + 1)
        if len(body) > LARGEST_MESSAGE:
            raise Refused("The message is too large.", code="malformed")
        self.message = jws.read(body)
        self._check_signature()
        self._check_freshness()
        if not hasattr(self, "act"):
            return HttpResponseNotAllowed(["GET"])
        return self.act(**kwargs)

    @property
    def content(self) -> dict[str, Any]:
        return self.message.content or {}

    @property
    def signer(self) -> AcmeAccount:
        if self.account is None:
            raise NotPermitted("Sign with your account's key.", code="unauthorized")
        return self.account

    def device(self) -> Device | None:
        """Return the device bound to the account, or None."""
        if self.account is None or self.account.device_id is None:
            return None
        found: Device | None = Device.objects.filter(
            pk=self.account.device_id, is_deactivated=False
        ).first()
        if found is None:
            raise NotPermitted("The device of this account is gone.", code="unauthorized")
        return found

    def _check_signature(self) -> None:
        protected = self.message.protected
        if self.message.algorithm not in jws.ALGORITHMS:
            text = f"Sign with one of {', '.join(jws.ALGORITHMS)}."
            raise Refused(text, code="badSignatureAlgorithm")
        if ("jwk" in protected) == ("kid" in protected):
            raise Refused("Name either a jwk or a kid.", code="malformed")
        if "jwk" in protected and self.takes_key:
            self.account, self.key = None, jws.public_key(protected["jwk"])
        elif "kid" in protected and self.takes_account:
            self.account = self._account(str(protected["kid"]))
            self.key = jws.public_key(self.account.jwk)
        else:
            raise Refused("This is signed with the other kind of key.", code="malformed")
        jws.verify(self.message, self.key)

    def _account(self, kid: str) -> AcmeAccount:
        prefix = f"{self.base}/account/"
        found: AcmeAccount | None = find_by_uuid(
            self.ca.acme_accounts.all(), kid.removeprefix(prefix)
        )
        if found is None or not kid.startswith(prefix):
            raise Refused("There is no such account.", code="accountDoesNotExist")
        if found.status != AcmeAccount.Status.VALID:
            raise NotPermitted("The account is deactivated.", code="unauthorized")
        return found

    def _check_freshness(self) -> None:
        if self.message.protected.get("url") != self.url:
            raise NotPermitted(f"The message is for another URL than {self.url}.")
        if not take_nonce(self.message.protected.get("nonce")):
            raise Refused("Take the new nonce of this answer.", code="badNonce")


def find_by_uuid(rows: Any, text: str) -> Any:
    try:
        return rows.filter(pk=UUID(text)).first()
    except ValueError:
        return None


def new_nonce() -> str:
    nonce = secrets.token_urlsafe(18)
    cache.set(f"acme:nonce:{nonce}", 1, NONCE_SECONDS)
    return nonce


def take_nonce(nonce: object) -> bool:
    """Consume a nonce. Returns False if it is unknown or already used."""
    if not isinstance(nonce, str) or len(nonce) > LONGEST_NONCE:
        return False
    return bool(cache.delete(f"acme:nonce:{nonce}"))
