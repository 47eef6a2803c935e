"""Enrollment for a key held by its owner, shared by ACME and EST."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from cryptography import x509
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import Organization
from controller.base.errors import Conflict, NotPermitted, Refused
from pki.engine.keys import PublicKey
from pki.engine.requests import SigningRequest, read_request
from pki.models import Ca, Cert, Enrollment
from pki.rules.certificates import issue, replace
from pki.rules.signing import refusing

# Clients renew automatically, so certificates can be short-lived.
LIFE = timedelta(days=90)
LONGEST_COMMON_NAME = 64


@dataclass(frozen=True)
class Holder:
    """An authenticated device with its own names."""

    device_id: UUID
    organization: Organization
    names: Collection[str] = field(default_factory=frozenset)


def check_holder(ca: Ca, holder: Holder) -> None:
    if ca.enrollment == Enrollment.OFF:
        raise NotPermitted(gettext("%(ca)s is not open for enrollment.") % {"ca": ca})
    if ca.organization_id not in (None, holder.organization.pk):
        raise NotPermitted(
            gettext("%(ca)s belongs to another organization than the device.") % {"ca": ca}
        )


def enroll(
    ca: Ca, csr: bytes, *, names: Collection[str], organization: Organization | None
) -> Cert:
    """Sign a CSR for exactly these names, or renew the existing certificate."""
    with refusing():
        request = read_request(csr)
    check_names(request, names)
    fitting = [name for name in sorted(names) if len(name) <= LONGEST_COMMON_NAME]
    common_name = request.subject.common_name or (fitting or [""])[0]
    if not common_name:
        raise Refused(
            {
                "csr": [
                    gettext("One name has at most %(longest_common_name)s characters.")
                    % {"longest_common_name": LONGEST_COMMON_NAME}
                ]
            }
        )
    values = {
        "validity_end": min(timezone.now() + LIFE, ca.validity_end),
        "extensions": _extensions(names),
    }
    present = Cert.objects.filter(
        ca=ca, organization=organization, common_name=common_name, revoked=False
    ).first()
    if present is None:
        return issue(
            ca, public_key=request.public_key, name=common_name, common_name=common_name,
            organization=organization, **values,
        )  # fmt: skip
    if present.private_key:
        raise Conflict(
            gettext(
                "%(common_name)s has a certificate whose key is kept here; revoke it first."
            )
            % {"common_name": common_name}
        )
    return replace(present, request.public_key, **values)


def check_names(request: SigningRequest, names: Collection[str]) -> None:
    if set(request.dns_names) != set(names):
        told = ", ".join(request.dns_names) or "none"
        raise Refused(
            {
                "csr": [
                    gettext("The request names %(told)s; allowed are %(names)s.")
                    % {"told": told, "names": ", ".join(names)}
                ]
            }
        )
    alternatives = request.alternative_names or ()
    if not all(isinstance(name, x509.DNSName) for name in alternatives):
        raise Refused({"csr": [gettext("Only DNS names can be asked for.")]})


def check_key(csr: bytes, account_key: PublicKey) -> None:
    """Refuse the account's own key in a certificate (RFC 8555, 11.1)."""
    with refusing():
        if read_request(csr).public_key == account_key:
            raise Refused(gettext("The account's own key cannot be certified."))


def _extensions(names: Collection[str]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = [
        {"name": "extendedKeyUsage", "value": "serverAuth,clientAuth", "critical": False}
    ]
    # A device may be named by its MAC address, which is an invalid DNS name.
    hosts = ",".join(f"DNS:{name}" for name in sorted(names) if ":" not in name)
    if hosts:
        found.append({"name": "subjectAltName", "value": hosts, "critical": False})
    return found
