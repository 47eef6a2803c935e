"""Contract of connection drivers: plain values, no model instances."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from controller.base.errors import Refused

OUTPUT_LIMIT = 64 * 1024
"""Bytes kept of each of stdout and stderr; what a command says beyond is thrown away."""

HOST_KEY_FIELDS = 2


class LoginRefused(Refused):
    """Rejected login. No command was sent."""


class HostKeyChanged(Refused):
    """Host key that differs from the pinned one. Nothing was sent."""

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
    """User name and secrets; a private key is tried before the password."""

    username: str
    password: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    """PEM or OpenSSH text."""
    passphrase: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HostKey:
    """Public host key as in known_hosts: type and base64 body."""

    kind: str
    body: str

    @classmethod
    def parse(cls, line: str) -> HostKey:
        """Parse ``type base64 [comment]``; raise Refused if it is malformed."""
        parts = line.split()
        if len(parts) < HOST_KEY_FIELDS:
            raise Refused("A host key is one line: its type, a blank and base64 text.")
        try:
            blob = base64.b64decode(parts[1], validate=True)
        except binascii.Error as error:
            raise Refused("The second part of a host key must be base64 text.") from error
        # It begins with its type, and the length of that.
        if not blob.startswith(len(parts[0]).to_bytes(4, "big") + parts[0].encode()):
            raise Refused(f"This is no host key of the type {parts[0][:64]}.")
        return cls(parts[0], parts[1])

    @property
    def line(self) -> str:
        return f"{self.kind} {self.body}"

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 fingerprint as ``ssh-keygen -l`` prints it."""
        digest = hashlib.sha256(base64.b64decode(self.body)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class SshTarget:
    """Where to connect, what to offer there, and the host key to insist on."""

    address: Address
    login: Login
    host_key: HostKey | None


@dataclass(frozen=True, slots=True)
class Result:
    """Result of a command. The status is 128 + signal number if killed by a signal."""

    exit_status: int
    stdout: str
    stderr: str


OnOutput = Callable[[bytes], None]
Feed = AsyncIterator[bytes]


class Shell(Protocol):
    """Open session on one device."""

    @property
    def host_key(self) -> HostKey:
        """Return the key the device proved to own; the caller pins it."""

    async def run(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        feed: Feed | None = None,
        timeout: float,
        on_output: OnOutput | None = None,
    ) -> Result:
        """Run one command line and wait up to ``timeout`` seconds for its end.

        ``on_output`` is called with output as it arrives. ``feed`` is sent after ``stdin``,
        each part once the device has taken most of those before, so that no more than a part
        is in memory.

        Raises Unreachable if the command was certainly not started, OutcomeUnknown if the
        connection
        was lost or the time ran out after it had been sent.
        """


ShellFactory = Callable[[], AbstractAsyncContextManager[Shell]]
"""Each call is a new connection, with the key and the login of one device."""
