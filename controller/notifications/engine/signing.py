"""Webhook signatures according to the Standard Webhooks specification."""

import base64
import binascii
import hmac
import secrets

PREFIX = "whsec_"
SHORTEST = 24
# Seconds before each retry, after the first attempt, the second, …
PAUSES = (5, 30, 300, 1800, 7200, 18_000, 36_000, 50_400)


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """Decode a secret to bytes; raise :class:`ValueError` if it is malformed."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("A secret is whsec_ and base64.") from error
    if len(key) < SHORTEST:
        raise ValueError(f"A secret has at least {SHORTEST} bytes.")
    return key


def signature(secret: str, *, message: str, at: int, body: bytes) -> str:
    signed = f"{message}.{at}.".encode() + body
    mac = hmac.new(key_of(secret), signed, "sha256").digest()
    return f"v1,{base64.b64encode(mac).decode()}"


def pause_after(attempts: int) -> int | None:
    """Return the pause in seconds after this many failures; None gives up."""
    return PAUSES[attempts - 1] if attempts <= len(PAUSES) else None
