"""JSON Web Signatures as used by ACME (RFC 7515, 7517, 7638, and RFC 8555, 6.2)."""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pki.engine.errors import UNREADABLE, Rejected
from pki.engine.keys import PublicKey, kind_of

ALGORITHMS = ("ES256", "ES384", "ES512", "RS256", "EdDSA")
_CURVES: dict[str, tuple[ec.EllipticCurve, int, str]] = {
    "P-256": (ec.SECP256R1(), 32, "ES256"),
    "P-384": (ec.SECP384R1(), 48, "ES384"),
    "P-521": (ec.SECP521R1(), 66, "ES512"),
}
_HASHES = {"ES256": hashes.SHA256(), "ES384": hashes.SHA384(), "ES512": hashes.SHA512()}
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
        match jwk["kty"]:
            case "RSA":
                return _rsa(jwk)
            case "EC":
                return _ec(jwk)
            case "OKP" if jwk["crv"] == "Ed25519":
                return ed25519.Ed25519PublicKey.from_public_bytes(unpad(jwk["x"]))
        raise ValueError("RSA, P-256, P-384, P-521 and Ed25519 are supported")
    except (KeyError, AttributeError, *UNREADABLE) as error:
        raise Rejected({"jwk": f"Not a usable key: {error}"}) from error


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
        match key:
            case rsa.RSAPublicKey() if message.algorithm == "RS256":
                key.verify(
                    message.signature, message.signed, padding.PKCS1v15(), hashes.SHA256()
                )
            case ec.EllipticCurvePublicKey():
                _verify_ec(message, key)
            case ed25519.Ed25519PublicKey() if message.algorithm == "EdDSA":
                key.verify(message.signature, message.signed)
            case _:
                raise ValueError("the algorithm does not go with the key")
    except (InvalidSignature, *UNREADABLE) as error:
        raise Rejected({"jws": "The signature is not of this key."}) from error


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


def _number(text: str) -> int:
    return int.from_bytes(unpad(text), "big")


def _rsa(jwk: dict[str, Any]) -> rsa.RSAPublicKey:
    key = rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
    kind_of(key)
    if key.key_size < SMALLEST_RSA:
        raise ValueError(f"RSA has at least {SMALLEST_RSA} bits")
    return key


def _ec(jwk: dict[str, Any]) -> ec.EllipticCurvePublicKey:
    curve, _, _ = _CURVES[jwk["crv"]]
    return ec.EllipticCurvePublicNumbers(
        _number(jwk["x"]), _number(jwk["y"]), curve
    ).public_key()


def _verify_ec(message: Message, key: ec.EllipticCurvePublicKey) -> None:
    size, algorithm = next(
        (size, name) for curve, size, name in _CURVES.values() if curve.name == key.curve.name
    )
    if message.algorithm != algorithm or len(message.signature) != 2 * size:
        raise ValueError("the algorithm does not go with the key")
    first, second = message.signature[:size], message.signature[size:]
    signature = encode_dss_signature(
        int.from_bytes(first, "big"), int.from_bytes(second, "big")
    )
    key.verify(signature, message.signed, ec.ECDSA(_HASHES[algorithm]))
