"""What people download: a key with its certificate and chain, in the form that they import."""

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
    """PKCS#12 under AES-256, as everything since Windows 10 1709 and Android 8 reads it."""
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
    """A PKCS#7 with certificates alone, DER: what EST answers with (RFC 7030, 4.1.3)."""
    return pkcs7.serialize_certificates(list(certificates), Encoding.DER)
