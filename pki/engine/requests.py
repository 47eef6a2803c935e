"""Certificate signing requests (PKCS#10) of devices with their own key."""

from dataclasses import dataclass
from typing import Any

from cryptography import x509

from pki.engine import keys
from pki.engine.errors import UNREADABLE, Rejected
from pki.engine.extensions import from_certificate
from pki.engine.names import Subject, from_name

LARGEST_REQUEST = 32 * 1024


@dataclass(frozen=True)
class SigningRequest:
    subject: Subject
    public_key: keys.PublicKey
    alternative_names: x509.SubjectAlternativeName | None
    extensions: list[dict[str, Any]]

    @property
    def dns_names(self) -> list[str]:
        """Return the DNS names in lower case, with the common name (RFC 8555, 7.4)."""
        names = {self.subject.common_name} - {""}
        if self.alternative_names is not None:
            names |= set(self.alternative_names.get_values_for_type(x509.DNSName))
        return sorted(name.lower() for name in names)


def read_request(data: bytes) -> SigningRequest:
    """Parse a CSR in PEM or DER. Raises Rejected under `csr`."""
    try:
        if len(data) > LARGEST_REQUEST:
            raise ValueError("more than 32 KiB")
        request = _load(data)
        public_key = request.public_key()
        keys.kind_of(public_key)
        if not request.is_signature_valid:
            raise ValueError("it is not signed with its own key")
        return SigningRequest(
            from_name(request.subject),
            public_key,  # type: ignore[arg-type]
            _alternative_names(request),
            from_certificate(request.extensions),
        )
    except UNREADABLE as error:
        raise Rejected({"csr": f"Not a usable signing request: {error}"}) from error


def _load(data: bytes) -> x509.CertificateSigningRequest:
    if data.lstrip().startswith(b"-----BEGIN"):
        return x509.load_pem_x509_csr(data)
    return x509.load_der_x509_csr(data)


def _alternative_names(
    request: x509.CertificateSigningRequest,
) -> x509.SubjectAlternativeName | None:
    try:
        return request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
