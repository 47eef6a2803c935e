"""Secrets at rest: encrypted model fields with rotatable keys, and hashing."""

import hashlib
import json
from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.exceptions import ImproperlyConfigured
from django.db import models


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    # Keys may be any text: they are hashed to the 32 bytes that Fernet requires.
    return MultiFernet(
        Fernet(urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys
    )


def fernet() -> MultiFernet:
    return _fernet(tuple(settings.MUSTER_ENCRYPTION_KEYS))


def digest(secret: str) -> str:
    """Hash a long random secret so that its row can be found (SHA-256 hex, 64 characters)."""
    return hashlib.sha256(secret.encode()).hexdigest()


def decrypt(token: bytes) -> bytes:
    return _decrypt(token, tuple(settings.MUSTER_ENCRYPTION_KEYS))


# Lists show the same rows repeatedly, and decryption would be most of the work: enough for the
# keys of 16,000 devices, in 6 MiB.
@lru_cache(maxsize=16_384)
def _decrypt(token: bytes, keys: tuple[str, ...]) -> bytes:
    try:
        return _fernet(keys).decrypt(token)
    except InvalidToken as error:
        raise ImproperlyConfigured(
            "A stored secret cannot be decrypted with MUSTER_ENCRYPTION_KEYS. Add the key it "
            "was written with to the end of the list."
        ) from error


class EncryptedBytesField(models.BinaryField):  # type: ignore[type-arg]
    """Binary field that is encrypted in the database."""

    def from_db_value(self, value: Any, *_: object) -> bytes | None:
        return None if value is None else decrypt(bytes(value)) if value else b""

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        sealed = fernet().encrypt(bytes(value)) if value else value
        return super().get_db_prep_value(sealed, connection, prepared)


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text field that is encrypted in the database; cannot be filtered by."""

    def from_db_value(self, value: Any, *_: object) -> str | None:
        return value if not value else decrypt(value.encode()).decode()

    def get_prep_value(self, value: Any) -> Any:
        plain = super().get_prep_value(value)
        return plain if not plain else fernet().encrypt(plain.encode()).decode()


class EncryptedJSONField(EncryptedTextField):
    """JSON field that is encrypted in the database."""

    def from_db_value(self, value: Any, *_: object) -> Any:
        text = super().from_db_value(value)
        return json.loads(text) if text else None

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(None if value is None else json.dumps(value))

    def to_python(self, value: Any) -> Any:
        return value

    def value_to_string(self, obj: models.Model) -> str:
        return json.dumps(self.value_from_object(obj))


class Argon2Hasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB, two passes and one lane, as OWASP advises; about 25 ms."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
