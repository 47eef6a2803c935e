"""TLS contexts that take one certificate alone, known by its fingerprint."""

import hashlib
import re
import socket
import ssl
from functools import lru_cache
from typing import Any

LENGTH = 64


def fingerprint_of(text: str) -> str:
    """Return a SHA-256 fingerprint as 64 hexadecimal digits, or "" if there is none.

    Takes what openssl, browsers and appliances show: with colons or blanks, in any case, with
    ``SHA256 Fingerprint=`` before it. Raises ValueError for anything else.
    """
    digits = re.sub(r"[\s:]", "", text.rpartition("=")[2]).lower()
    if digits and not re.fullmatch(rf"[0-9a-f]{{{LENGTH}}}", digits):
        raise ValueError("A SHA-256 fingerprint has 64 hexadecimal digits.")
    return digits


def shown_fingerprint(digits: str) -> str:
    """Return a fingerprint as openssl shows it."""
    return ":".join(re.findall("..", digits.upper()))


class NotPinned(ssl.SSLCertVerificationError):
    """The certificate is another one than the pinned one."""


class PinnedContext(ssl.SSLContext):
    """Takes a certificate with this fingerprint, whoever signed it and whatever it names.

    Nothing is sent before the certificate is known to be the pinned one.
    """

    fingerprint = ""

    def wrap_socket(self, sock: socket.socket, *args: Any, **options: Any) -> ssl.SSLSocket:
        found = super().wrap_socket(sock, *args, **options)
        certificate = found.getpeercert(binary_form=True) or b""
        digest = hashlib.sha256(certificate).hexdigest()
        if digest != self.fingerprint:
            found.close()
            raise NotPinned(
                "The certificate is another one than the pinned one: its fingerprint is "
                f"{shown_fingerprint(digest)}."
            )
        return found


@lru_cache(maxsize=64)
def pinned(fingerprint: str) -> ssl.SSLContext:
    found = PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    found.check_hostname, found.verify_mode = False, ssl.CERT_NONE
    found.fingerprint = fingerprint
    return found
