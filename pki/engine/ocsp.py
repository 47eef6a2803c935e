"""OCSP requests and responses (RFC 6960)."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.hashes import Hash, HashAlgorithm
from cryptography.x509 import ocsp

from pki.engine.errors import UNREADABLE, Rejected

LARGEST_REQUEST = 16 * 1024
LONGEST_NONCE = 128
_ALGORITHMS = (hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512)


@asn1.sequence
class _PublicKeyInfo:
    """SubjectPublicKeyInfo (RFC 5280, 4.1.2.7)."""

    algorithm: asn1.TLV
    key: asn1.BitString


@dataclass(frozen=True)
class Question:
    serial_number: int
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    algorithm: HashAlgorithm
    nonce: bytes = b""

    @property
    def address(self) -> str:
        """Return the issuer's hashes as in the request, to be looked up among `addresses`."""
        return (self.issuer_name_hash + self.issuer_key_hash).hex()

    def is_about(self, issuer: x509.Certificate) -> bool:
        return (self.issuer_name_hash, self.issuer_key_hash) == issuer_hashes(
            issuer, self.algorithm
        )


def read_question(der: bytes) -> Question:
    """Parse a request for one certificate.

    Raises `Rejected` if malformed or for several.
    """
    try:
        if len(der) > LARGEST_REQUEST:
            raise ValueError("too large")
        request = ocsp.load_der_ocsp_request(der)
        nonce = _nonce(request)
        return Question(
            request.serial_number,
            request.issuer_name_hash,
            request.issuer_key_hash,
            _algorithm(request.hash_algorithm),
            nonce,
        )
    except (*UNREADABLE, NotImplementedError) as error:
        raise Rejected({"request": "Not an OCSP request for one certificate."}) from error


def issuer_hashes(issuer: x509.Certificate, algorithm: HashAlgorithm) -> tuple[bytes, bytes]:
    """Return the hashes of the issuer's name and key bits, as in requests."""
    return (
        _hash(issuer.subject.public_bytes(), algorithm),
        _hash(_key_bits(issuer), algorithm),
    )


def addresses(issuer: x509.Certificate) -> tuple[str, str]:
    """Return the issuer's name and key hashes (hex), with SHA-1 and with SHA-256."""
    sha1, sha256 = (
        b"".join(issuer_hashes(issuer, algorithm)).hex()
        for algorithm in (hashes.SHA1(), hashes.SHA256())  # noqa: S303 - RFC 6960 names by it
    )
    return sha1, sha256


def malformed() -> bytes:
    return _failure(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)


def unauthorized() -> bytes:
    """Return the response for certificates of unknown CAs (RFC 5019, 2.2.3)."""
    return _failure(ocsp.OCSPResponseStatus.UNAUTHORIZED)


def _failure(status: ocsp.OCSPResponseStatus) -> bytes:
    response = ocsp.OCSPResponseBuilder.build_unsuccessful(status)
    return response.public_bytes(serialization.Encoding.DER)


def _nonce(request: ocsp.OCSPRequest) -> bytes:
    try:
        nonce = request.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return b""
    if len(nonce) > LONGEST_NONCE:
        raise ValueError("a nonce longer than any client sends")
    return nonce


def _algorithm(found: HashAlgorithm) -> HashAlgorithm:
    if not isinstance(found, _ALGORITHMS):
        raise ValueError("a hash that no client uses")  # noqa: TRY004
    return found


def _hash(data: bytes, algorithm: HashAlgorithm) -> bytes:
    digest = Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def _key_bits(certificate: x509.Certificate) -> bytes:
    """Return the subjectPublicKey's bits without header, which RFC 6960 hashes."""
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return asn1.decode_der(_PublicKeyInfo, spki).key.as_bytes()
