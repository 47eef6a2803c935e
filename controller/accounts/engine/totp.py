"""Time-based one-time passwords: RFC 6238 with SHA-1, six digits and 30 seconds."""

import base64
import hmac
import secrets

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_SECONDS = 30
DIGITS = 6
# Accepted clock drift of phones, in time steps.
TOLERANCE = 1
SECRET_BYTES = 20


def new_secret() -> str:
    """Return a new secret in base32, as authenticator apps expect it."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def code_at(secret: str, step: int, digits: int = DIGITS) -> str:
    return _generator(secret, digits).generate(step * STEP_SECONDS).decode()


def step_of(secret: str, code: str, now: float, *, after: int = -1) -> int | None:
    """Return the time step of a valid code that is later than ``after``, or None."""
    current = int(now) // STEP_SECONDS
    for step in range(current - TOLERANCE, current + TOLERANCE + 1):
        if step > after and hmac.compare_digest(code_at(secret, step), code):
            return step
    return None


def uri(secret: str, *, account: str, issuer: str) -> str:
    """Return the otpauth URI for the QR code."""
    return _generator(secret, DIGITS).get_provisioning_uri(account, issuer)


def _generator(secret: str, digits: int) -> TOTP:
    return TOTP(base64.b32decode(secret), digits, SHA1(), STEP_SECONDS)  # noqa: S303 - apps know SHA-1
