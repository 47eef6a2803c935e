"""JSON Web Signatures as used by ACME (RFC 7515, 7517, 7638, and RFC 8555, 6.2)."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm, get_default_algorithms
from jwt.exceptions import PyJWTError

from pki.engine.errors import UNREADABLE, Rejected
from pki.engine.keys import PublicKey, kind_of

ALGORITHMS = ("ES256", "ES384", "ES512", "RS256", "EdDSA")
_ALGORITHMS = get_default_algorithms()
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "EC": ECAlgorithm.from_jwk, "RSA": RSAAlgorithm.from_jwk, "OKP": OKPAlgorithm.from_jwk,
}  # fmt: skip
_THUMBPRINT_FIELDS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"),
                      "OKP": ("crv", "kty", "x")}  # fmt: skip
SMALLEST_RSA = 2048


@dataclass(frozen=True)
class Message:
    """A message with an unverified signature."""

    protected: dict[str, Any]
    payload: bytes
    signed: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        return str(self.protected.get("alg"))

    @property
    def content(self) -> dict[str, Any] | None:
        """Return the payload as JSON; None if it is empty (POST-as-GET)."""
        if not self.payload:
            return None
        return _object(self.payload, "payload")


def read(body: bytes) -> Message:
    """Parse the flattened JSON serialization. Raises Rejected under `jws`."""
    try:
        outer = _object(body, "body")
        protected, payload, signature = (
            outer[part] for part in ("protected", "payload", "signature")
        )
        return Message(
            _object(unpad(protected), "protected header"),
            unpad(payload),
            f"{protected}.{payload}".encode("ascii"),
            unpad(signature),
        )
    except (KeyError, AttributeError, *UNREADABLE) as error:
        raise Rejected({"jws": f"Not a JWS in flattened JSON: {error}"}) from error


def public_key(jwk: object) -> PublicKey:
    """Parse a JWK of a type that ACME clients use. Raises Rejected under `jwk`."""
    try:
        if not isinstance(jwk, dict):
            raise ValueError("it is not an object")  # noqa: TRY004
        for name in _THUMBPRINT_FIELDS[jwk["kty"]]:
            if name not in {"crv", "kty"}:
                unpad(jwk[name])
        key: PublicKey = _READERS[jwk["kty"]](jwk)
        if isinstance(key, rsa.RSAPublicKey) and kind_of(key) and key.key_size < SMALLEST_RSA:
            raise ValueError(f"RSA has at least {SMALLEST_RSA} bits")
        _algorithm_of(key)
    except (KeyError, AttributeError, PyJWTError, *UNREADABLE) as error:
        raise Rejected({"jwk": f"Not a usable key: {error}"}) from error
    return key


def thumbprint(jwk: dict[str, Any]) -> str:
    """Return the JWK's thumbprint (RFC 7638): SHA-256, base64url."""
    fields = {name: jwk[name] for name in _THUMBPRINT_FIELDS[jwk["kty"]]}
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return pad(hashlib.sha256(text.encode()).digest())


def verify(message: Message, key: PublicKey) -> None:
    """Verify the signature.

    Raises `Rejected` under `jws` if key or algorithm do not match.
    """
    try:
        name = _algorithm_of(key)
        if message.algorithm != name:
            raise ValueError("the algorithm does not go with the key")
        if not _ALGORITHMS[name].verify(message.signed, key, message.signature):
            raise ValueError("the signature is another one")
    except UNREADABLE as error:
        raise Rejected({"jws": "The signature is not of this key."}) from error


def _algorithm_of(key: object) -> str:
    """Return the one algorithm of a public key. Raises ValueError for other keys."""
    match key:
        case rsa.RSAPublicKey():
            return "RS256"
        case ec.EllipticCurvePublicKey() if key.curve.name in _CURVES:
            return _CURVES[key.curve.name]
        case ed25519.Ed25519PublicKey():
            return "EdDSA"
    raise ValueError("RSA, P-256, P-384, P-521 and Ed25519 are supported")


def verify_shared(message: Message, secret: bytes) -> None:
    """Verify an HS256 signature of an external account binding (RFC 8555, 7.3.4)."""
    expected = hmac.digest(secret, message.signed, "sha256")
    if message.algorithm != "HS256" or not hmac.compare_digest(expected, message.signature):
        raise Rejected({"jws": "The binding is not signed with the device's key."})


def pad(data: bytes) -> str:
    """Encode as base64url without padding, as everywhere in ACME."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unpad(text: str) -> bytes:
    try:
        data = text.encode("ascii")
        if b"=" in data:
            raise ValueError("base64url has no padding here")
        return base64.b64decode(data + b"=" * (-len(data) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError("not base64url") from error


def _object(data: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Rejected({"jws": f"The {name} is not JSON."}) from error
    if not isinstance(found, dict):
        raise Rejected({"jws": f"The {name} is not a JSON object."})
    return found
