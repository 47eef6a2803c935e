from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.http import HttpResponse, JsonResponse

from controller.base.errors import NotFound, Refused
from pki.api.acme import serializers
from pki.api.acme.views.accounts import CREATED, holder_of
from pki.api.acme.views.base import AcmeView
from pki.engine import jws
from pki.models import AcmeAuthorization, AcmeOrder
from pki.rules import acme

CHAIN = "application/pem-certificate-chain"


class NewOrderView(AcmeView):
    def act(self) -> HttpResponse:
        device = self.device()
        own = holder_of(device).names if device else frozenset()
        made = acme.order(self.signer, self._names(), own=own)
        response = JsonResponse(serializers.order(made, self.base), status=CREATED)
        response["Location"] = f"{self.base}/order/{made.pk}"
        return response

    def _names(self) -> Collection[str]:
        identifiers = self.content.get("identifiers")
        if not isinstance(identifiers, list):
            raise Refused("identifiers is a list.", code="malformed")
        return [_name(identifier) for identifier in identifiers]


def _name(identifier: Any) -> str:
    if not isinstance(identifier, dict) or not isinstance(identifier.get("value"), str):
        raise Refused('An identifier is {"type": "dns", "value": <name>}.', code="malformed")
    if identifier.get("type") != "dns":
        raise Refused("Only DNS names can be asked for.", code="rejectedIdentifier")
    name: str = identifier["value"]
    return name


class OrderView(AcmeView):
    def act(self, pk: UUID) -> HttpResponse:
        return JsonResponse(serializers.order(self.order(pk), self.base))

    def order(self, pk: UUID) -> AcmeOrder:
        orders = self.signer.orders.select_related("account__ca")
        found: AcmeOrder | None = orders.filter(pk=pk).first()
        if found is None:
            raise NotFound("There is no such order.")
        return found


class FinalizeView(OrderView):
    def act(self, pk: UUID) -> HttpResponse:
        self.device()
        done = acme.finalize(self.order(pk), octets(self.content.get("csr")))
        response = JsonResponse(serializers.order(done, self.base))
        response["Location"] = f"{self.base}/order/{done.pk}"
        return response


class CertificateView(OrderView):
    def act(self, pk: UUID) -> HttpResponse:
        order = self.order(pk)
        if not order.certificate:
            raise NotFound("There is no certificate yet.")
        return HttpResponse(order.certificate, content_type=CHAIN)


class AuthorizationView(AcmeView):
    def act(self, pk: UUID) -> HttpResponse:
        found = self.authorization(pk)
        if self.content.get("status") == "deactivated":
            acme.deactivate_authorization(found)
        return JsonResponse(serializers.authorization(found, self.base))

    def authorization(self, pk: UUID) -> AcmeAuthorization:
        mine = AcmeAuthorization.objects.filter(order__account=self.signer, pk=pk)
        found: AcmeAuthorization | None = mine.select_related("order").first()
        if found is None:
            raise NotFound("There is no such authorization.")
        return found


class ChallengeView(AuthorizationView):
    def act(self, pk: UUID) -> HttpResponse:
        found = self.authorization(pk)
        # An empty payload is a POST-as-GET; an empty object starts the validation (RFC 8555,
        # 7.5.1).
        if self.message.content is not None:
            acme.answer(found)
        response = JsonResponse(serializers.challenge(found, self.base))
        self.links.append(f'<{self.base}/authorization/{found.pk}>;rel="up"')
        return response


class RevokeView(AcmeView):
    takes_key = True

    def act(self) -> HttpResponse:
        acme.revoke_issued(
            self.ca,
            octets(self.content.get("certificate")),
            account=self.account,
            key=self.key,
            reason=self.content.get("reason"),
        )
        return HttpResponse()


def octets(text: Any) -> bytes:
    try:
        return jws.unpad(text)
    except (ValueError, AttributeError) as error:
        raise Refused("Write it as base64url.", code="malformed") from error
