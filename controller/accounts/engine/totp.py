"""Codes that change every thirty seconds: RFC 6238 with SHA-1 and six digits, as every app has it."""

import base64
import hmac
import secrets
import struct
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DIGITS = 6
# Clocks of phones are off by this many steps at most.
TOLERANCE = 1
SECRET_BYTES = 20


def new_secret() -> str:
    """A secret in base32, as apps take it."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def code_at(secret: str, step: int, digits: int = DIGITS) -> str:
    mac = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), "sha1")
    at = mac[-1] & 0x0F
    number = struct.unpack(">I", mac[at : at + 4])[0] & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def step_of(secret: str, code: str, now: float, *, after: int = -1) -> int | None:
    """The time step this code is of, if it is a good one that is later than ``after``."""
    current = int(now) // STEP_SECONDS
    for step in range(current - TOLERANCE, current + TOLERANCE + 1):
        if step > after and hmac.compare_digest(code_at(secret, step), code):
            return step
    return None


def uri(secret: str, *, account: str, issuer: str) -> str:
    """What an app reads from the QR code."""
    label = quote(f"{issuer}:{account}")
    query = urlencode(
        {"secret": secret, "issuer": issuer, "digits": DIGITS, "period": STEP_SECONDS}
    )
    return f"otpauth://totp/{label}?{query}"
