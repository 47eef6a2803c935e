"""Certificate profile: validity, serial numbers, extensions, issuer checks."""

from collections.abc import Iterable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AuthorityInformationAccessOID

from pki.engine.contract import Points, Template
from pki.engine.errors import Rejected
from pki.engine.extension_values import key_usage
from pki.engine.extensions import Extension, extension_of, find, issuer_identifier

LONGEST_SERIAL_BITS = 159
# Range of dates in X.509 (RFC 5280, 4.1.2.5).
EARLIEST = datetime(1950, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def random_serial() -> int:
    """Return a random serial number of 159 bits, at most 48 decimal digits."""
    return x509.random_serial_number()


def check_serial(serial: int) -> int:
    if serial <= 0:
        raise Rejected({"serial_number": "A serial number is a whole number above zero."})
    if serial.bit_length() > LONGEST_SERIAL_BITS:
        raise Rejected({"serial_number": "A serial number has at most 20 octets (159 bits)."})
    return serial


def check_validity(not_before: datetime, not_after: datetime) -> None:
    for field, moment in (("validity_start", not_before), ("validity_end", not_after)):
        if not EARLIEST <= moment <= LATEST:
            raise Rejected({field: "A certificate can only tell years from 1950 to 9999."})
    if not_after <= not_before:
        raise Rejected({"validity_end": "The end of validity lies before its start."})


def complete(template: Template, issuer: x509.Certificate | None) -> x509.CertificateBuilder:
    """Return a builder ready to be signed; `issuer` is None for a root.

    Key identifiers, constraints and usages are filled in unless given. Raises Rejected if
    the issuer must not sign the template.
    """
    check_serial(template.serial_number)
    check_validity(template.not_before, template.not_after)
    if issuer is not None:
        check_issuer(issuer, template)
    builder = (
        x509.CertificateBuilder()
        .subject_name(template.subject)
        .issuer_name(issuer.subject if issuer else template.subject)
        .public_key(template.public_key)
        .serial_number(template.serial_number)
        .not_valid_before(template.not_before)
        .not_valid_after(template.not_after)
    )
    for extension in _extensions(template, issuer):
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder


def check_issuer(issuer: x509.Certificate, template: Template) -> None:
    """Raise Rejected if this issuer must not sign the template."""
    constraints = extension_of(issuer, x509.BasicConstraints)
    if constraints is not None and template.authority:
        left = constraints.path_length
        if left == 0:
            raise Rejected(
                {"issuer": "Its path length is 0: it may not vouch for an authority."}
            )
        wanted = find(template.extensions, x509.BasicConstraints)
        asked = wanted.value.path_length if wanted else 0  # type: ignore[attr-defined]
        if left is not None and (asked is None or asked >= left):
            raise Rejected(
                {"extensions": f"basicConstraints: the issuer allows pathlen:{left - 1}."}
            )


def is_authority(certificate: x509.Certificate) -> bool:
    constraints = extension_of(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _extensions(template: Template, issuer: x509.Certificate | None) -> Iterable[Extension]:
    given = list(template.extensions)
    _check_role(template)
    for default in _defaults(template, root=issuer is None):
        if find(given, type(default.value)) is None:
            given.append(default)
    identifier = x509.SubjectKeyIdentifier.from_public_key(template.public_key)
    by = (
        issuer_identifier(issuer)
        if issuer
        else x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    )
    return [
        *given,
        Extension(identifier),
        Extension(by),
        *_points(template.points),
    ]


def _check_role(template: Template) -> None:
    constraints = find(template.extensions, x509.BasicConstraints)
    if constraints is None:
        return
    authority = constraints.value.ca  # type: ignore[attr-defined]
    if authority and not template.authority:
        raise Rejected(
            {"extensions": "basicConstraints: CA:TRUE makes an authority; create a CA instead."}
        )
    if template.authority and not authority:
        raise Rejected({"extensions": "basicConstraints: an authority needs CA:TRUE."})


def _defaults(template: Template, *, root: bool) -> list[Extension]:
    if template.authority:
        # By default an intermediate only signs end-entity certificates (path length 0).
        constraints = x509.BasicConstraints(ca=True, path_length=None if root else 0)
        usage = key_usage(["keyCertSign", "cRLSign"])
        return [Extension(constraints, critical=True), Extension(usage, critical=True)]
    usages = ["digitalSignature"]
    if isinstance(template.public_key, rsa.RSAPublicKey):
        usages.append("keyEncipherment")
    return [
        Extension(x509.BasicConstraints(ca=False, path_length=None)),
        Extension(key_usage(usages), critical=True),
    ]


def _points(points: Points) -> Iterable[Extension]:
    if points.crl:
        name = x509.UniformResourceIdentifier(points.crl)
        yield Extension(
            x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)])
        )
    access = [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
        for method, url in (
            (AuthorityInformationAccessOID.OCSP, points.ocsp),
            (AuthorityInformationAccessOID.CA_ISSUERS, points.issuer),
        )
        if url
    ]
    if access:
        yield Extension(x509.AuthorityInformationAccess(access))
