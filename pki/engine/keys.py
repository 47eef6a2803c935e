"""Private keys: kinds, generation, serialization and loading."""

import re
from collections.abc import Iterable
from typing import TypeAlias

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from pki.engine.errors import UNREADABLE, Rejected

PrivateKey: TypeAlias = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
)
PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
Digest: TypeAlias = hashes.SHA256 | hashes.SHA384 | hashes.SHA512

ED25519 = "ed25519"
RSA_EXPONENT = 65537
SMALLEST_RSA = 1024
LARGEST_RSA = 16384
LARGEST_PEM = 64 * 1024

CURVES: dict[str, ec.EllipticCurve] = {
    "256": ec.SECP256R1(),
    "384": ec.SECP384R1(),
    "521": ec.SECP521R1(),
}
RSA_SIZES = ("2048", "3072", "4096")
# Names as in `key_length` of OpenWISP's API: RSA bits, or the name of the curve.
KINDS: dict[str, str] = {
    "256": "256 (ECDSA)",
    "384": "384 (ECDSA)",
    "521": "521 (ECDSA)",
    "2048": "2048 (RSA)",
    "3072": "3072 (RSA)",
    "4096": "4096 (RSA)",
    ED25519: "Ed25519",
}
DIGESTS: dict[str, Digest] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
# Found in imported certificates; never used for new signatures.
OLD_DIGESTS = ("sha1", "sha224")

_PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_PEM_LABEL = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")


def generate(kind: str) -> PrivateKey:
    """Generate a key of one of `KINDS`."""
    if kind in RSA_SIZES:
        return rsa.generate_private_key(RSA_EXPONENT, int(kind))
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind])
    if kind == ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    raise Rejected(
        {"key_length": f'"{kind}" is not a key this portal makes. Use {_any_of(KINDS)}.'}
    )


def kind_of(key: object) -> str:
    """Return the kind of a public key. Unusual RSA sizes are named by their bits."""
    if isinstance(key, rsa.RSAPublicKey):
        if not SMALLEST_RSA <= key.key_size <= LARGEST_RSA:
            raise ValueError(f"an RSA key of {key.key_size} bits")
        return str(key.key_size)
    if isinstance(key, ec.EllipticCurvePublicKey):
        for kind, curve in CURVES.items():
            if key.curve.name == curve.name:
                return kind
        raise ValueError(f"a key on the curve {key.curve.name}")
    if isinstance(key, ed25519.Ed25519PublicKey):
        return ED25519
    name = type(key).__name__.removesuffix("PublicKey").removeprefix("_")
    raise ValueError(f"a key of the kind {name}")


def describe(kind: str) -> str:
    if kind in CURVES:
        return f"ECDSA P-{kind}"
    return "Ed25519" if kind == ED25519 else f"RSA {kind} bits"


def same_family(one: str, other: str) -> bool:
    def family(kind: str) -> str:
        return "ec" if kind in CURVES else ED25519 if kind == ED25519 else "rsa"

    return family(one) == family(other)


def digest_for(key: PrivateKey, digest: str) -> Digest | None:
    """Return the hash to sign with; None for Ed25519, which has its own."""
    if digest in OLD_DIGESTS or digest == "md5":
        raise Rejected(
            {
                "digest": f"{digest.upper()} is too weak for a new signature. Use {_any_of(DIGESTS)}."
            }
        )
    if digest not in DIGESTS:
        raise Rejected({"digest": f'"{digest}" is not a digest. Use {_any_of(DIGESTS)}.'})
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    return DIGESTS[digest]


def to_pem(key: PrivateKey, passphrase: str = "") -> str:
    """Serialize as PEM; unencrypted RSA and EC keys in the traditional format."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    form = serialization.PrivateFormat.TraditionalOpenSSL
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    if passphrase or isinstance(key, ed25519.Ed25519PrivateKey):
        form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def public_bytes(key: PublicKey) -> bytes:
    """Return the SubjectPublicKeyInfo, for comparing keys."""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def load(pem: str, passphrase: str = "", *, trusted: bool = False) -> PrivateKey:
    """Load a private key. Raises Rejected under `private_key` or `passphrase`.

    `trusted` skips the consistency check of RSA keys, which takes tens of milliseconds, for
    keys that were loaded by this function before.
    """
    data = _ascii(pem, "private_key")
    _refuse_other_labels(pem)
    try:
        key = serialization.load_pem_private_key(
            data, passphrase.encode() or None, unsafe_skip_rsa_key_validation=trusted
        )
    except UNREADABLE as error:
        raise _explain(error, pem, passphrase) from error
    return _supported(key)


def pem_labels(pem: str) -> list[str]:
    return _PEM_LABEL.findall(pem)


def check_text(pem: str, field: str) -> None:
    _ascii(pem, field)


def _ascii(pem: str, field: str) -> bytes:
    if not pem.strip():
        raise Rejected({field: "This field may not be blank."})
    if len(pem) > LARGEST_PEM:
        raise Rejected(
            {field: f"More than {LARGEST_PEM // 1024} KiB: this is not one PEM text."}
        )
    try:
        return armored(pem).encode("ascii")
    except UnicodeEncodeError as error:
        raise Rejected({field: "PEM is plain ASCII; this text is not."}) from error


def armored(pem: str) -> str:
    """Return what is PEM of a text: other programs write remarks around it, in any language."""
    blocks = [found[0] for found in _PEM_BLOCK.finditer(pem)]
    return "\n".join([*blocks, ""]) if blocks else pem


def _refuse_other_labels(pem: str) -> None:
    labels = pem_labels(pem)
    keys = [label for label in labels if label.endswith("PRIVATE KEY")]
    if not labels:
        problem = "No PEM found: it starts with -----BEGIN PRIVATE KEY-----."
    elif not keys:
        problem = f"This is a {labels[0].lower()}, not a private key."
    elif "OPENSSH PRIVATE KEY" in keys:
        problem = "This is an OpenSSH key. Convert it with: ssh-keygen -p -m PEM -f <file>."
    elif len(keys) > 1:
        problem = f"{len(keys)} private keys found; give the certificate's own alone."
    else:
        return
    raise Rejected({"private_key": problem})


def _explain(error: Exception, pem: str, passphrase: str) -> Rejected:
    encrypted = "ENCRYPTED" in pem
    if encrypted and not passphrase:
        return Rejected({"passphrase": "The private key is encrypted: give its passphrase."})
    if encrypted:
        return Rejected({"passphrase": "The passphrase does not open the private key."})
    if passphrase and isinstance(error, TypeError):
        return Rejected({"passphrase": "The private key is not encrypted: leave this blank."})
    return Rejected({"private_key": "The private key is damaged or of an unknown kind."})


def _supported(key: object) -> PrivateKey:
    if isinstance(key, PrivateKey):
        try:
            kind_of(key.public_key())
        except ValueError as error:
            raise Rejected(
                {"private_key": f"This is {error}, which is not supported."}
            ) from error
        return key
    name = type(key).__name__.removesuffix("PrivateKey").removeprefix("_")
    raise Rejected(
        {
            "private_key": f"Keys of the kind {name} are not supported; RSA, ECDSA and Ed25519 are."
        }
    )


def _any_of(names: Iterable[str]) -> str:
    return ", ".join(names)
