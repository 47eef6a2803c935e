"""What a way to reach a device takes and gives: values only, never rows."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from controller.base.errors import Refused

OUTPUT_LIMIT = 64 * 1024
"""Bytes kept of each of stdout and stderr; what a command says beyond is thrown away."""

HOST_KEY_FIELDS = 2


class LoginRefused(Refused):
    """The device answered and does not let this login in. No command was sent."""


class HostKeyChanged(Refused):
    """The device shows another host key than the pinned one. Nothing was sent to it."""

    def __init__(self, address: Address, *, pinned: HostKey, offered: HostKey) -> None:
        super().__init__(
            f"{address} shows the host key {offered.fingerprint} ({offered.kind}), but "
            f"{pinned.fingerprint} ({pinned.kind}) is on record. If the device was reinstalled "
            "or replaced, compare the new fingerprint on the device itself and clear the "
            "stored key; if not, somebody may be answering in its place.",
            code="host_key_changed",
        )
        self.pinned = pinned
        self.offered = offered


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int = 22

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in and with what; a private key is tried before a password."""

    username: str
    password: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    """PEM or OpenSSH text."""
    passphrase: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key as one reads it in known_hosts: ``ssh-ed25519`` and the base64 after it."""

    kind: str
    body: str

    @classmethod
    def parse(cls, line: str) -> HostKey:
        """Read ``type base64 [comment]``; raises Refused when it is none."""
        parts = line.split()
        if len(parts) < HOST_KEY_FIELDS:
            raise Refused("A host key is one line: its type, a blank and base64 text.")
        try:
            base64.b64decode(parts[1], validate=True)
        except binascii.Error as error:
            raise Refused("The second part of a host key must be base64 text.") from error
        return cls(parts[0], parts[1])

    @property
    def line(self) -> str:
        return f"{self.kind} {self.body}"

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` prints it."""
        digest = hashlib.sha256(base64.b64decode(self.body)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left behind. A command killed by a signal has 128 + its number."""

    exit_status: int
    stdout: str
    stderr: str


OnOutput = Callable[[bytes], None]


class Shell(Protocol):
    """An open session on one device."""

    @property
    def host_key(self) -> HostKey:
        """The key the device proved to hold; the caller pins it."""

    async def run(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        timeout: float,
        on_output: OnOutput | None = None,
    ) -> Result:
        """Run one command line and wait for its end, at most ``timeout`` seconds.

        ``on_output`` is called with what the command says, as it says it.

        Raises Unreachable if it was certainly not started, OutcomeUnknown if the connection
        was lost or the time was over after it had been sent.
        """


ShellFactory = Callable[[], AbstractAsyncContextManager[Shell]]
"""Each call is a new connection, with the key and the login of one device."""
