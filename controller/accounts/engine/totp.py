"""Time-based one-time passwords: RFC 6238 with SHA-1, six digits and 30 seconds."""

import base64
import hmac
import secrets
import struct
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DIGITS = 6
# Accepted clock drift of phones, in time steps.
TOLERANCE = 1
SECRET_BYTES = 20


def new_secret() -> str:
    """Return a new secret in base32, as authenticator apps expect it."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def code_at(secret: str, step: int, digits: int = DIGITS) -> str:
    mac = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), "sha1")
    at = mac[-1] & 0x0F
    number = struct.unpack(">I", mac[at : at + 4])[0] & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def step_of(secret: str, code: str, now: float, *, after: int = -1) -> int | None:
    """Return the time step of a valid code that is later than ``after``, or None."""
    current = int(now) // STEP_SECONDS
    for step in range(current - TOLERANCE, current + TOLERANCE + 1):
        if step > after and hmac.compare_digest(code_at(secret, step), code):
            return step
    return None


def uri(secret: str, *, account: str, issuer: str) -> str:
    """Return the otpauth URI for the QR code."""
    label = quote(f"{issuer}:{account}")
    query = urlencode(
        {"secret": secret, "issuer": issuer, "digits": DIGITS, "period": STEP_SECONDS}
    )
    return f"otpauth://totp/{label}?{query}"
