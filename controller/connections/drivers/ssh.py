"""SSH with asyncssh in two stages: unlimited sockets, limited handshakes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache

import asyncssh

from controller.base.errors import OutcomeUnknown, Refused, Unreachable
from controller.base.outbound import tcp
from controller.connections.drivers.contract import (
    OUTPUT_LIMIT,
    Address,
    Feed,
    HostKey,
    HostKeyChanged,
    Login,
    LoginRefused,
    OnOutput,
    Result,
)
from controller.connections.drivers.tcp import SOCKET_SECONDS, open_socket

HANDSHAKES_AT_ONCE = 10
HANDSHAKE_SECONDS = 20.0
CLOSE_SECONDS = 1.0
# A device that takes nothing of what it is sent for so long is given up.
STALLED_SECONDS = 60.0

# Cheapest algorithms first; all others that asyncssh considers safe remain as fallback.
KEY_EXCHANGE = "^curve25519-sha256,curve25519-sha256@libssh.org"
CIPHERS = "^aes128-gcm@openssh.com"
CHEAPEST_HOST_KEY = "ssh-ed25519"
SIGNATURES = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ssh-rsa": ("rsa-sha2-256", "rsa-sha2-512", "ssh-rsa"),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Timeouts in seconds. The handshake's starts only after the gate is passed."""

    socket: float = SOCKET_SECONDS
    handshake: float = HANDSHAKE_SECONDS


DEFAULT_TIMEOUTS = Timeouts()


def handshake_limit() -> asyncio.Semaphore:
    """Return a semaphore for concurrent handshakes of one event loop; share it in a batch."""
    return asyncio.Semaphore(HANDSHAKES_AT_ONCE)


@asynccontextmanager
async def open_shell(
    address: Address,
    login: Login,
    host_key: HostKey | None = None,
    *,
    gate: asyncio.Semaphore | None = None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> AsyncIterator[SshShell]:
    """Log in to a device. Without ``host_key`` the first key seen is trusted.

    Raises Unreachable, HostKeyChanged or LoginRefused; no command has been sent in those
    cases.
    """
    keys = await _client_keys(login)
    sock = await open_socket(address, timeout=timeouts.socket)
    witness = HostKeyVerifier(pinned=host_key)
    try:
        async with gate or nullcontext():
            connection = await _handshake(address, login, keys, sock, witness, timeouts)
    except BaseException:
        sock.close()
        raise
    try:
        yield SshShell(address, connection, witness.key)
    finally:
        await _close(connection)


async def _close(connection: asyncssh.SSHClientConnection) -> None:
    connection.close()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await connection.wait_closed()
    except TimeoutError:
        connection.abort()


class SshShell:
    """Authenticated connection; implements the contract's Shell."""

    def __init__(
        self, address: Address, connection: asyncssh.SSHClientConnection, host_key: HostKey
    ) -> None:
        self.address = address
        self.host_key = host_key
        self._connection = connection

    async def run(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        feed: Feed | None = None,
        timeout: float,
        on_output: OnOutput | None = None,
    ) -> Result:
        """Run one command line; see the contract for the errors raised."""
        try:
            async with asyncio.timeout(timeout):
                session = await self._send(command, on_output)
                return await session.finished(stdin, feed)
        except TimeoutError as error:
            raise OutcomeUnknown(
                f"{self.address} did not finish the command within {timeout:g} s, so it may "
                "still be running there."
            ) from error
        except (asyncssh.Error, OSError) as error:
            raise OutcomeUnknown(
                f"The connection to {self.address} was lost while the command ran, so it may "
                f"have been done: {error}."
            ) from error

    async def open_terminal(
        self, session: asyncssh.SSHClientSession[bytes], *, columns: int, rows: int
    ) -> asyncssh.SSHClientChannel[bytes]:
        """Open a login shell on a terminal of this size, for interactive use."""
        try:
            channel, _ = await self._connection.create_session(
                lambda: session,
                term_type="xterm-256color",
                term_size=(columns, rows),
                encoding=None,
            )
        except asyncssh.ChannelOpenError as error:
            raise Unreachable(
                f"{self.address} logged us in but opens no terminal: {error.reason}."
            ) from error
        return channel

    async def _send(self, command: str, on_output: OnOutput | None) -> _Exec:
        session = _Exec(on_output)
        try:
            await self._connection.create_session(lambda: session, command, encoding=None)
        except asyncssh.ChannelOpenError as error:
            raise Unreachable(
                f"{self.address} logged us in but runs no commands: {error.reason}."
            ) from error
        return session


class _Exec(asyncssh.SSHClientSession[bytes]):
    """Session that collects a command's output, up to the limit, and exit status."""

    def __init__(self, on_output: OnOutput | None) -> None:
        self._on_output = on_output
        self._output: dict[int | None, bytearray] = {}
        self._status: int | None = None
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        kept = self._output.setdefault(datatype, bytearray())
        kept += data[: OUTPUT_LIMIT - len(kept)]
        if self._on_output is not None:
            self._on_output(data)

    def exit_status_received(self, status: int) -> None:
        self._status = status

    def exit_signal_received(
        self,
        signal: str,
        core_dumped: bool,  # noqa: FBT001 - asyncssh calls it by position
        msg: str,
        lang: str,
    ) -> None:
        self._status = 128 + _signal_number(signal)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        if self._end.done():
            return
        if exc is None:
            self._end.set_result(None)
        else:
            self._end.set_exception(exc)

    async def finished(self, stdin: bytes, feed: Feed | None = None) -> Result:
        """Send stdin and the feed, and wait for the end; raise ConnectionLost without an exit status."""
        if self._channel is None:
            raise asyncssh.ConnectionLost("the channel never opened")
        try:
            self._channel.write(stdin)
            if feed is not None:
                await self._send_feed(self._channel, feed)
            self._channel.write_eof()
            await self._end
        except BrokenPipeError:
            # The command ended without reading all of its input; its exit status is decisive.
            await self._end
        finally:
            self._channel.close()
        if self._status is None:
            raise asyncssh.ConnectionLost("no exit status arrived")
        return Result(self._status, self._text(None), self._text(asyncssh.EXTENDED_DATA_STDERR))

    async def _send_feed(self, channel: asyncssh.SSHClientChannel[bytes], feed: Feed) -> None:
        async for part in feed:
            channel.write(part)
            async with asyncio.timeout(STALLED_SECONDS):
                await self._writable.wait()

    def _text(self, datatype: int | None) -> str:
        return self._output.get(datatype, bytearray()).decode("utf-8", "replace")


class HostKeyVerifier(asyncssh.SSHClient):
    """Verifies the host key after the device proved ownership, before sending anything."""

    def __init__(self, pinned: HostKey | None) -> None:
        self.pinned = pinned
        self.seen: HostKey | None = None

    @property
    def key(self) -> HostKey:
        if self.seen is None:
            raise Unreachable("The device finished no key exchange.")
        return self.seen

    @property
    def refuses(self) -> bool:
        return self.pinned is not None and self.seen is not None and self.seen != self.pinned

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        kind, body = key.export_public_key("openssh").decode().split()[:2]
        self.seen = HostKey(kind, body)
        return not self.refuses


async def _handshake(
    address: Address,
    login: Login,
    keys: list[asyncssh.SSHKeyPair] | None,
    sock: tcp.Socket,
    witness: HostKeyVerifier,
    timeouts: Timeouts,
) -> asyncssh.SSHClientConnection:
    options = _options(address, login, keys, witness)
    try:
        async with asyncio.timeout(timeouts.handshake):
            return await asyncssh.connect(sock=sock, config=None, options=options)
    except TimeoutError as error:
        raise Unreachable(
            f"{address} did not finish the SSH handshake within {timeouts.handshake:g} s."
        ) from error
    except (asyncssh.Error, OSError, ValueError) as error:
        raise _refusal(address, login, witness, error) from error


def _options(
    address: Address,
    login: Login,
    keys: list[asyncssh.SSHKeyPair] | None,
    witness: HostKeyVerifier,
) -> asyncssh.SSHClientConnectionOptions:
    return asyncssh.SSHClientConnectionOptions(
        config=None,
        host=address.host,
        port=address.port,
        username=login.username,
        password=login.password,
        client_keys=keys,
        agent_path=None,
        gss_host=None,
        x509_trusted_certs=None,
        known_hosts=_nobody_known,
        client_factory=lambda: witness,
        kex_algs=KEY_EXCHANGE,
        encryption_algs=CIPHERS,
        server_host_key_algs="^" + ",".join(_signatures(witness.pinned)),
        login_timeout=0,
    )


def _nobody_known(
    host: str, addr: str, port: int | None
) -> tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]]:
    """Return no known hosts: :class:`HostKeyVerifier` decides, and no file is read."""
    return [], [], []


def _signatures(pinned: HostKey | None) -> tuple[str, ...]:
    """Return signature algorithms, preferring the pinned key's type.

    A device with several host keys then presents the pinned one.
    """
    kind = pinned.kind if pinned else CHEAPEST_HOST_KEY
    return SIGNATURES.get(kind, (CHEAPEST_HOST_KEY,))


def _refusal(
    address: Address, login: Login, witness: HostKeyVerifier, error: Exception
) -> Refused:
    if witness.refuses and witness.pinned and witness.seen:
        return HostKeyChanged(address, pinned=witness.pinned, offered=witness.seen)
    if isinstance(error, asyncssh.PermissionDenied):
        means = " and ".join(_means(login)) or "nothing to prove it with"
        return LoginRefused(
            f"{address} refused the login of {login.username!r} with {means}. Check that the "
            "user may log in over SSH there and that the device knows these credentials.",
            code="login_refused",
        )
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return Unreachable(f"{address} and the portal share no way to talk: {error.reason}.")
    return Unreachable(f"{address} broke off the SSH handshake: {error}.")


def _means(login: Login) -> list[str]:
    offers = (("a private key", login.private_key), ("a password", login.password))
    return [name for name, secret in offers if secret is not None]


async def _client_keys(login: Login) -> list[asyncssh.SSHKeyPair] | None:
    if login.private_key is None:
        return None
    if login.passphrase is None:
        return [_parsed(login.private_key, None)]
    # Deriving a key from a passphrase takes a tenth of a second and would block the event loop.
    return [await asyncio.to_thread(_parsed, login.private_key, login.passphrase)]


@lru_cache(maxsize=256)
def _parsed(private_key: str, passphrase: str | None) -> asyncssh.SSHKeyPair:
    try:
        key = asyncssh.import_private_key(private_key, passphrase)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError) as error:
        raise _bad_key(str(error).lower()) from error
    return asyncssh.load_keypairs([key])[0]


def why_not_a_key(private_key: str, passphrase: str | None) -> str:
    """Return why no device can be opened with this private key, or an empty text."""
    try:
        _parsed(private_key, passphrase)
    except LoginRefused as refusal:
        return str(refusal)
    return ""


def _bad_key(complaint: str) -> LoginRefused:
    if "passphrase must be specified" in complaint:
        return LoginRefused(
            "The private key is encrypted: store its passphrase with it.", code="passphrase"
        )
    if "incorrect passphrase" in complaint or "decrypt" in complaint:
        return LoginRefused(
            "The private key is encrypted and the passphrase does not open it.",
            code="passphrase",
        )
    return LoginRefused(
        "The private key cannot be read. Paste the whole file, from its BEGIN line to its END "
        "line; a public key (.pub) will not do.",
        code="private_key",
    )


def _signal_number(name: str) -> int:
    try:
        return signal.Signals[f"SIG{name}"].value
    except KeyError:
        return 0
