"""Bundles for download: PKCS#12, and PKCS#7 with certificates only."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, pkcs7, pkcs12

from pki.engine.errors import Rejected
from pki.engine.keys import PrivateKey

SHORTEST_PASSPHRASE = 4


def pkcs12_bundle(
    name: str,
    key: PrivateKey,
    certificate: x509.Certificate,
    issuers: Sequence[x509.Certificate],
    passphrase: str,
) -> bytes:
    """Return a PKCS#12 with AES-256, readable since Windows 10 1709 and Android 8."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise Rejected({"passphrase": f"Give at least {SHORTEST_PASSPHRASE} characters."})
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(50_000)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(passphrase.encode())
    )
    return pkcs12.serialize_key_and_certificates(
        name.encode(), key, certificate, list(issuers) or None, encryption
    )


def certificates_only(certificates: Sequence[x509.Certificate]) -> bytes:
    """Return a certs-only PKCS#7 in DER, as EST responds with (RFC 7030, 4.1.3)."""
    return pkcs7.serialize_certificates(list(certificates), Encoding.DER)
