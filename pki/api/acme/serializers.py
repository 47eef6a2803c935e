"""ACME resources as JSON (RFC 8555, section 7.1)."""

from typing import Any

from django.utils.timezone import localtime

from controller.base.errors import Conflict, NotFound, NotPermitted, Refused
from pki.engine.errors import Rejected
from pki.models import AcmeAccount, AcmeAuthorization, AcmeOrder

ERROR = "urn:ietf:params:acme:error:"
# ACME error types that rules raise; any other error is "malformed".
CODES = {
    "alreadyRevoked", "badCSR", "badNonce", "badRevocationReason", "conflict",
    "externalAccountRequired", "invalidContact", "malformed", "orderNotReady",
    "rejectedIdentifier", "unauthorized", "unsupportedContact", "accountDoesNotExist",
    "badPublicKey", "badSignatureAlgorithm", "rateLimited",
}  # fmt: skip


def problem(error: Refused | Rejected) -> tuple[int, dict[str, Any]]:
    """Return status and body of a problem document (RFC 7807)."""
    if isinstance(error, Rejected):
        code = "badPublicKey" if "jwk" in error.errors else "malformed"
        text = " ".join(text for texts in error.errors.values() for text in texts)
        return _problem(400, code, text)
    statuses = {NotFound: 404, NotPermitted: 403, Conflict: 409}
    status = next((number for kind, number in statuses.items() if isinstance(error, kind)), 400)
    if error.code == "rateLimited":
        status = 429
    fallback = "unauthorized" if isinstance(error, NotPermitted) else "malformed"
    code = error.code if error.code in CODES else fallback
    return _problem(status, code, str(error))


def _problem(status: int, code: str, text: str) -> tuple[int, dict[str, Any]]:
    return status, {"type": f"{ERROR}{code}", "detail": text, "status": status}


def account(row: AcmeAccount, base: str) -> dict[str, Any]:
    return {
        "status": row.status,
        "contact": row.contact,
        "orders": f"{base}/account/{row.pk}/orders",
    }


def order(row: AcmeOrder, base: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "status": row.status,
        "expires": localtime(row.expires).isoformat(),
        "identifiers": [{"type": "dns", "value": name} for name in row.identifiers],
        "authorizations": [
            f"{base}/authorization/{one.pk}" for one in row.authorizations.all()
        ],
        "finalize": f"{base}/order/{row.pk}/finalize",
    }
    if row.certificate:
        shown["certificate"] = f"{base}/order/{row.pk}/certificate"
    return shown


def authorization(row: AcmeAuthorization, base: str) -> dict[str, Any]:
    status = "pending" if row.status == "processing" else row.status
    return {
        "status": status,
        "expires": localtime(row.order.expires).isoformat(),
        "identifier": {"type": "dns", "value": row.identifier},
        "challenges": [challenge(row, base)],
    }


def challenge(row: AcmeAuthorization, base: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "type": "http-01",
        "url": f"{base}/challenge/{row.pk}",
        "status": row.status,
        "token": row.token,
    }
    if row.validated:
        shown["validated"] = localtime(row.validated).isoformat()
    if row.error:
        shown["error"] = _problem(403, "unauthorized", row.error)[1]
    return shown
