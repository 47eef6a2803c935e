"""Human-readable summary of a certificate."""

from collections.abc import Iterator
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from pki.engine import keys
from pki.engine.extensions import extension_of, from_certificate

_PURPOSES = {
    "serverAuth": "prove a server's identity",
    "clientAuth": "prove a client's identity",
    "codeSigning": "sign programs",
    "emailProtection": "sign and encrypt mail",
    "timeStamping": "confirm a time",
    "OCSPSigning": "answer whether certificates are revoked",
    "ipsecIKE": "open IPsec tunnels",
    "anyExtendedKeyUsage": "do anything its key allows",
}
_USAGES = {
    "digitalSignature": "sign in a handshake",
    "nonRepudiation": "sign documents",
    "keyEncipherment": "receive keys",
    "dataEncipherment": "receive data",
    "keyAgreement": "agree on keys",
    "keyCertSign": "sign certificates",
    "cRLSign": "sign revocation lists",
    "encipherOnly": "only encrypt when agreeing on keys",
    "decipherOnly": "only decrypt when agreeing on keys",
}


class Line(NamedTuple):
    label: str
    text: str


# Labels of the lines, in the order of the certificate.
LABELS = (
    "Issued to", "Issued by", "Valid", "Key", "Signed with", "Serial number", "SHA-256 fingerprint", "Authority",
    "May", "Its key may", "Names", "Netscape type", "Comment", "Policies", "Revocation list", "Status (OCSP)",
    "Issuer's certificate",
)  # fmt: skip


def phrases() -> tuple[str, ...]:
    """Return labels and sentences of summaries, for translation."""
    reach = tuple(_reach(length) for length in (None, 0))
    return (*LABELS, *_PURPOSES.values(), *_USAGES.values(), *reach, "itself")


def summarize(certificate: x509.Certificate) -> list[Line]:
    """Return the certificate's facts as lines."""
    return [*_identity(certificate), *_role(certificate), *_points(certificate)]


def _identity(certificate: x509.Certificate) -> Iterator[Line]:
    public: keys.PublicKey = certificate.public_key()  # type: ignore[assignment]
    yield Line("Issued to", certificate.subject.rfc4514_string())
    own = certificate.issuer == certificate.subject
    yield Line("Issued by", "itself" if own else certificate.issuer.rfc4514_string())
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    yield Line("Valid", f"{start:%Y-%m-%d %H:%M} - {end:%Y-%m-%d %H:%M} UTC")
    yield Line("Key", keys.describe(keys.kind_of(public)))
    algorithm = certificate.signature_hash_algorithm
    yield Line("Signed with", algorithm.name.upper() if algorithm else "Ed25519")
    yield Line("Serial number", _colons(certificate.serial_number))
    yield Line("SHA-256 fingerprint", certificate.fingerprint(hashes.SHA256()).hex(":").upper())


def _role(certificate: x509.Certificate) -> Iterator[Line]:
    constraints = extension_of(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        yield Line("Authority", _reach(constraints.path_length))
    for item in from_certificate(certificate.extensions):
        found = str(item["value"]).split(",")
        name = item.get("name")
        if name == "extendedKeyUsage":
            yield Line("May", "; ".join(_PURPOSES.get(word, word) for word in found))
        elif name == "keyUsage":
            yield Line("Its key may", "; ".join(_USAGES.get(word, word) for word in found))
        elif name == "subjectAltName":
            yield Line("Names", ", ".join(found))
        elif name in ("nsCertType", "nsComment", "certificatePolicies"):
            yield Line(_TITLES[name], str(item["value"]))
        elif name is None:
            yield Line(f"Extension {item['oid']}", f"{len(item['value']) // 2 - 2} bytes")


_TITLES = {
    "nsCertType": "Netscape type",
    "nsComment": "Comment",
    "certificatePolicies": "Policies",
}


def _points(certificate: x509.Certificate) -> Iterator[Line]:
    for point in extension_of(certificate, x509.CRLDistributionPoints) or ():
        for name in point.full_name or []:
            yield Line("Revocation list", str(name.value))
    for access in extension_of(certificate, x509.AuthorityInformationAccess) or ():
        known = {"OCSP": "Status (OCSP)", "caIssuers": "Issuer's certificate"}
        label = known.get(access.access_method._name, access.access_method.dotted_string)
        yield Line(label, str(access.access_location.value))


def _reach(path_length: int | None) -> str:
    if path_length is None:
        return "yes, for certificates and for further authorities"
    if path_length == 0:
        return "yes, for certificates; not for further authorities"
    return f"yes, with up to {path_length} authorities below it"


def _colons(serial: int) -> str:
    return serial.to_bytes((serial.bit_length() + 7) // 8 or 1, "big").hex(":").upper()
