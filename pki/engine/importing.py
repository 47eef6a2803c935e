"""Import of certificates and keys: parsing and consistency checks.

Every error is a `Rejected` that names the field, whatever the input.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import PublicKeyAlgorithmOID

from pki.engine import keys
from pki.engine.certificates import is_authority
from pki.engine.errors import UNREADABLE, Collector, Rejected
from pki.engine.extensions import extension_of

LONGEST_CHAIN = 8
UNREAD = (
    "A text in a name of the certificate is a T61String, an encoding of old that is not read here "
    "with letters beyond ASCII. Have it issued with UTF-8 texts."
)
# An attribute of a name (2.5.4.x), and the tag of a T61String.
OLD_TEXT = re.compile(rb"\x06\x03\x55\x04.\x14", re.DOTALL)
SEEN_DIGESTS = (*keys.OLD_DIGESTS, *keys.DIGESTS)
CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")


@dataclass(frozen=True)
class Imported:
    certificate: x509.Certificate
    issuers: Sequence[x509.Certificate]
    key: keys.PrivateKey
    digest: str


def read_authority(
    pem: str, key_pem: str, passphrase: str, *, known: Sequence[x509.Certificate], now: datetime
) -> Imported:
    """Read a CA with its key; `pem` may also contain the certificates of its issuers.

    `known` are CAs in the portal, which can complete the chain.
    """
    found = _read_pair(pem, key_pem, passphrase, now)
    if not is_authority(found.certificate):
        raise Rejected({"certificate": "Not an authority: it lacks basicConstraints CA:TRUE."})
    usage = extension_of(found.certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise Rejected({"certificate": "Its keyUsage does not allow it to sign certificates."})
    chain = [found.certificate, *found.issuers]
    _check_chain(chain)
    issuers = [*found.issuers, *_complete(chain[-1], known)]
    return Imported(found.certificate, issuers, found.key, found.digest)


def read_end_entity(
    pem: str, key_pem: str, passphrase: str, *, chain: Sequence[x509.Certificate], now: datetime
) -> Imported:
    """Read a certificate issued by the CA at the head of `chain`, with its key.

    The PEM may also contain the CA's own certificate and its issuers.
    """
    found = _read_pair(pem, key_pem, passphrase, now)
    problem = issued_by(found.certificate, chain[0])
    if problem:
        raise Rejected({"certificate": f"Not issued by the chosen CA: {problem}."})
    expected = {certificate.fingerprint(hashes.SHA256()) for certificate in chain}
    if any(extra.fingerprint(hashes.SHA256()) not in expected for extra in found.issuers):
        raise Rejected(
            {"certificate": "The certificates after the first are not the CA's chain."}
        )
    return Imported(found.certificate, list(chain), found.key, found.digest)


def read_certificates(pem: str) -> list[x509.Certificate]:
    """Read one or more certificates in order, parsing them completely."""
    keys.check_text(pem, "certificate")
    labels = keys.pem_labels(pem)
    foreign = [label for label in labels if label not in CERTIFICATE_LABELS]
    if not labels:
        problem = "No PEM found: it starts with -----BEGIN CERTIFICATE-----."
    elif foreign:
        problem = f"This is a {foreign[0].lower()}, not a certificate."
    elif len(labels) > LONGEST_CHAIN:
        problem = f"{len(labels)} certificates; a chain has at most {LONGEST_CHAIN}."
    else:
        return _load_certificates(pem, len(labels))
    raise Rejected({"certificate": problem})


def digest_of(certificate: x509.Certificate) -> str:
    """Return the name of the signature's hash; sha512 for Ed25519, which has none."""
    algorithm = certificate.signature_hash_algorithm
    name = algorithm.name if algorithm is not None else "sha512"
    if name not in SEEN_DIGESTS:
        raise Rejected({"certificate": f"Signed with {name}, which is not supported."})
    return name


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> str:
    """Return why `issuer` did not issue the certificate; empty if it did."""
    if certificate.issuer != issuer.subject:
        return f"its issuer is {certificate.issuer.rfc4514_string() or 'empty'}"
    try:
        _verify(certificate, issuer.public_key())
    except InvalidSignature:
        return "the signature was made with another key"
    except UNREADABLE:
        return "the signature cannot be checked"
    return ""


def _verify(certificate: x509.Certificate, key: object) -> None:
    """Verify the signature manually: the library rejects SHA-1, which old imports use."""
    signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    parameters: Any = certificate.signature_algorithm_parameters
    match key:
        case rsa.RSAPublicKey():
            digest: Any = certificate.signature_hash_algorithm
            key.verify(signature, signed, parameters, digest)
        case ec.EllipticCurvePublicKey():
            key.verify(signature, signed, parameters)
        case ed25519.Ed25519PublicKey():
            key.verify(signature, signed)
        case _:
            raise TypeError("a key of an unknown kind")


def to_pem(certificates: Sequence[x509.Certificate]) -> str:
    encoding = serialization.Encoding.PEM
    return "".join(certificate.public_bytes(encoding).decode() for certificate in certificates)


def _read_pair(pem: str, key_pem: str, passphrase: str, now: datetime) -> Imported:
    collector = Collector()
    certificates: list[x509.Certificate] = []
    found: list[keys.PrivateKey] = []
    with collector.field():
        certificates = read_certificates(pem)
        _check_end(certificates[0], now)
        _check_use(certificates[0])
        digest = digest_of(certificates[0])
    with collector.field():
        found.append(keys.load(key_pem, passphrase))
    collector.finish()
    own, *issuers = certificates
    check_pair(own, found[0])
    return Imported(own, issuers, found[0], digest)


def check_pair(certificate: x509.Certificate, key: keys.PrivateKey) -> None:
    its_key: keys.PublicKey = certificate.public_key()  # type: ignore[assignment]
    if keys.public_bytes(its_key) != keys.public_bytes(key.public_key()):
        raise Rejected({"private_key": "This key does not belong to the certificate."})


def _check_end(certificate: x509.Certificate, now: datetime) -> None:
    end = certificate.not_valid_after_utc
    if end <= certificate.not_valid_before_utc:
        raise Rejected({"certificate": "Its validity ends before it starts."})
    if end <= now:
        raise Rejected({"certificate": f"Expired on {end:%Y-%m-%d}; import one that is valid."})


def _check_use(certificate: x509.Certificate) -> None:
    """Refuse what could be stored, and would then make certificates that nobody accepts."""
    if certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
        raise Rejected(
            {
                "certificate": "Its key is for RSASSA-PSS alone, and this portal signs with PKCS #1 "
                "v1.5 or ECDSA: what it signed would not be accepted. Use an RSA or ECDSA key."
            }
        )
    if certificate.serial_number <= 0:
        raise Rejected(
            {
                "certificate": f"Its serial number is {certificate.serial_number}. RFC 5280 wants one "
                "above zero, and a revocation list can name no other."
            }
        )


def _load_certificates(pem: str, count: int) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(keys.armored(pem).encode("ascii"))
        if len(found) != count:
            raise ValueError("a part of the PEM is cut short")
        for certificate in found:
            _read_all(certificate)
    except UNREADABLE as error:
        if "ParseError" in str(error) and _has_old_text(pem):
            raise Rejected({"certificate": UNREAD}) from error
        text = f"The certificate is damaged or of an unknown kind ({_brief(error)})."
        raise Rejected({"certificate": text}) from error
    return found


def _has_old_text(pem: str) -> bool:
    lines = (line for line in keys.armored(pem).splitlines() if not line.startswith("-----"))
    try:
        return OLD_TEXT.search(base64.b64decode("".join(lines))) is not None
    except ValueError:
        return False


def _read_all(certificate: x509.Certificate) -> None:
    """Parse all parts now: the library parses lazily, on access."""
    keys.kind_of(certificate.public_key())
    _ = (certificate.subject, certificate.issuer, certificate.signature_hash_algorithm)
    _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    for extension in certificate.extensions:
        extension.value.public_bytes()


def _check_chain(chain: Sequence[x509.Certificate]) -> None:
    for position, (certificate, issuer) in enumerate(pairwise(chain), 2):
        problem = issued_by(certificate, issuer)
        if problem:
            text = f"Certificate {position} did not issue the one before it: {problem}."
            raise Rejected({"certificate": text})
        if not is_authority(issuer):
            raise Rejected({"certificate": f"Certificate {position} is not an authority's."})
    last = chain[-1]
    if last.issuer == last.subject and issued_by(last, last):
        raise Rejected(
            {"certificate": "It names itself as issuer, but its key did not sign it."}
        )


def _complete(
    last: x509.Certificate, known: Sequence[x509.Certificate]
) -> Sequence[x509.Certificate]:
    found: list[x509.Certificate] = []
    while last.issuer != last.subject and len(found) < LONGEST_CHAIN:
        issuer = next((ca for ca in known if not issued_by(last, ca)), None)
        if issuer is None:
            break
        found.append(issuer)
        last = issuer
    return found


def _brief(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
