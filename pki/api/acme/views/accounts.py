import json
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse

from controller.base.errors import Conflict, NotPermitted, Refused
from controller.devices.models import Device
from pki.api.acme import serializers
from pki.api.acme.views.base import AcmeView, find_by_uuid
from pki.engine import jws
from pki.engine.errors import Rejected
from pki.models import AcmeAccount, Enrollment
from pki.rules import acme
from pki.rules.enrollment import Holder

CREATED, OK, NO_CONTENT = 201, 200, 204


class DirectoryView(AcmeView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return JsonResponse(
            {
                "newNonce": f"{self.base}/new-nonce",
                "newAccount": f"{self.base}/new-account",
                "newOrder": f"{self.base}/new-order",
                "revokeCert": f"{self.base}/revoke-cert",
                "keyChange": f"{self.base}/key-change",
                "meta": {"externalAccountRequired": self.ca.enrollment == Enrollment.DEVICES},
            }
        )


class NewNonceView(AcmeView):
    def get(self, request: HttpRequest) -> HttpResponse:
        # HEAD requests, which Django routes here too, return 200 (RFC 8555, 7.2).
        return HttpResponse(status=OK if request.method == "HEAD" else NO_CONTENT)


class NewAccountView(AcmeView):
    takes_key, takes_account = True, False

    def act(self) -> HttpResponse:
        jwk: dict[str, Any] = self.message.protected["jwk"]
        found = acme.find_account(self.ca, jwk)
        if found is not None:
            return self._shown(found, OK)
        if self.content.get("onlyReturnExisting"):
            raise Refused("There is no account with this key.", code="accountDoesNotExist")
        made = acme.register(
            self.ca, jwk, contact=self.content.get("contact", []), holder=self._holder(jwk)
        )
        return self._shown(made, CREATED)

    def _shown(self, account: AcmeAccount, status: int) -> HttpResponse:
        response = JsonResponse(serializers.account(account, self.base), status=status)
        response["Location"] = f"{self.base}/account/{account.pk}"
        return response

    def _holder(self, jwk: dict[str, Any]) -> Holder | None:
        """Return the device of the external account binding, or None without one.

        See RFC 8555, 7.3.4. Raises NotPermitted if the device or its key does not match.
        """
        binding = self.content.get("externalAccountBinding")
        if binding is None:
            return None
        message = jws.read(json.dumps(binding).encode())
        if message.content != jwk or message.protected.get("url") != self.url:
            raise Refused("The binding is for another key or address.", code="malformed")
        devices = Device.objects.filter(is_deactivated=False, organization__is_active=True)
        device = find_by_uuid(devices, str(message.protected.get("kid")))
        if device is None or not signed_by(message, device):
            text = "The kid is a device's id, and the HMAC key is its key; these do not match."
            raise NotPermitted(text, code="unauthorized")
        return holder_of(device)


def signed_by(message: jws.Message, device: Device) -> bool:
    """Return whether the device's key signed the message, raw or base64url-decoded."""
    candidates = [device.key.encode()]
    with suppress(ValueError):  # A key chosen by a user may be invalid base64url.
        candidates.append(jws.unpad(device.key))
    for secret in filter(None, candidates):
        try:
            jws.verify_shared(message, secret)
        except Rejected:
            continue
        return True
    return False


def holder_of(device: Device) -> Holder:
    """Return the device as holder of its own name and id."""
    names = frozenset({device.name.lower(), str(device.pk)})
    return Holder(device.pk, device.organization, names)


class AccountView(AcmeView):
    def act(self, pk: UUID) -> HttpResponse:
        account = self.signer
        if account.pk != pk:
            raise NotPermitted("This is another account.", code="unauthorized")
        if "contact" in self.content:
            acme.update_contact(account, self.content["contact"])
        if self.content.get("status") == "deactivated":
            acme.deactivate(account)
        return JsonResponse(serializers.account(account, self.base))


class AccountOrdersView(AcmeView):
    def act(self, pk: UUID) -> HttpResponse:
        account = self.signer
        if account.pk != pk:
            raise NotPermitted("This is another account.", code="unauthorized")
        orders = account.orders.order_by("-created").values_list("pk", flat=True)[:100]
        return JsonResponse({"orders": [f"{self.base}/order/{order}" for order in orders]})


class KeyChangeView(AcmeView):
    """Account key rollover (RFC 8555, 7.3.5)."""

    def act(self) -> HttpResponse:
        account = self.signer
        inner = jws.read(self.message.payload)
        new = inner.protected.get("jwk")
        key = jws.public_key(new)
        jws.verify(inner, key)
        content = inner.content or {}
        expected = {"account": f"{self.base}/account/{account.pk}", "oldKey": account.jwk}
        if content != expected or inner.protected.get("url") != self.url or new is None:
            raise Refused("The inner message is not about this account.", code="malformed")
        other = acme.find_account(self.ca, new)
        if other is not None:
            raise Conflict("Another account has this key.", code="conflict")
        acme.change_key(account, new)
        return JsonResponse(serializers.account(account, self.base))
