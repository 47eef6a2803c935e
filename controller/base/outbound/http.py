"""HTTP clients whose connections are checked, pinned and bounded. httpx is imported here alone.

A client is used by one thread or task at a time: its requests share one deadline.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import httpcore
import httpx
from httpx import (
    URL,
    AsyncClient,
    Client,
    ConnectError,
    ConnectTimeout,
    HTTPError,
    InvalidURL,
    PoolTimeout,
    RemoteProtocolError,
    Response,
    Timeout,
    TimeoutException,
    codes,
)

from controller.base.errors import Unreachable
from controller.base.outbound.kinds import Kind
from controller.base.outbound.pinning import pinned
from controller.base.outbound.resolve import resolve, resolve_async

__all__ = [
    "URL", "AsyncClient", "Client", "ConnectError", "ConnectTimeout", "HTTPError", "InvalidURL",
    "PoolTimeout", "RemoteProtocolError", "Response", "Timeout", "TimeoutException", "TooLarge",
    "async_client", "client", "codes", "hang_up", "trusted", "trusted_or_pinned",
    "unchecked",
]  # fmt: skip

SECONDS = 10.0
# Of one exchange, from the first byte sent to the last one received.
WHOLE_SECONDS = 60.0
LARGEST = 32 * 1024 * 1024


class TooLarge(httpx.TransportError):
    """The answer is larger than agreed, or packed although it should not be."""


@lru_cache(maxsize=64)
def trusted(ca_certificate: str = "") -> ssl.SSLContext:
    """Return the system's authorities, and one more; reading them takes long, so it is kept.

    Raises ssl.SSLError for an invalid certificate.
    """
    found = ssl.create_default_context()
    if ca_certificate:
        found.load_verify_locations(cadata=ca_certificate)
    return found


def trusted_or_pinned(ca_certificate: str = "", fingerprint: str = "") -> ssl.SSLContext:
    """Return a context for a pinned certificate, else for authorities and one more."""
    return pinned(fingerprint) if fingerprint else trusted(ca_certificate)


@lru_cache(maxsize=1)
def unchecked() -> ssl.SSLContext:
    """Return a context that takes any certificate: for what is entrusted with nothing."""
    found = ssl.create_default_context()
    found.check_hostname, found.verify_mode = False, ssl.CERT_NONE
    return found


def client(
    kind: Kind, *, timeout: float | Timeout = SECONDS, seconds: float | None = WHOLE_SECONDS,
    largest: int | None = LARGEST, tls: ssl.SSLContext | None = None, retries: int = 0,
    headers: Mapping[str, str] | None = None, **options: Any,
) -> Client:  # fmt: skip
    """Return a client for one kind of target.

    ``timeout`` is for each step, ``seconds`` for a whole exchange, ``largest`` in bytes for an
    answer; None is no limit, for streams. ``retries`` is how often connecting is tried again.
    Requests raise httpx's errors, TooLarge, OutOfBounds and Unreachable. Nothing is unpacked.
    """
    return Client(
        transport=_Transport(kind, seconds, largest, tls or trusted(), retries), timeout=timeout,
        headers=_headers(headers), trust_env=False, follow_redirects=False, **options,
    )  # fmt: skip


def async_client(
    kind: Kind, *, timeout: float | Timeout = SECONDS, seconds: float | None = WHOLE_SECONDS,
    largest: int | None = LARGEST, tls: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None, **options: Any,
) -> AsyncClient:  # fmt: skip
    """Return the same as ``client`` for a coroutine."""
    return AsyncClient(
        transport=_AsyncTransport(kind, seconds, largest, tls or trusted()), timeout=timeout,
        headers=_headers(headers), trust_env=False, follow_redirects=False, **options,
    )  # fmt: skip


def hang_up(answer: Response) -> None:
    """End the connection of a streamed answer, also while a thread reads from it."""
    connection = answer.extensions["network_stream"].get_extra_info("socket")
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _headers(given: Mapping[str, str] | None) -> dict[str, str]:
    return {"Accept-Encoding": "identity", **(given or {})}


def _translated(error: Exception) -> Exception:
    """Return httpx's error of the same name; others as they are."""
    name = type(error).__name__
    known = type(error).__module__.startswith("httpcore") and getattr(httpx, name, None)
    return known(str(error)) if known else error


def _sent(request: httpx.Request) -> httpcore.Request:
    url = request.url
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        ),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


def _answer(response: httpcore.Response, stream: Any) -> httpx.Response:
    codings = {v.lower() for k, v in response.headers if k.lower() == b"content-encoding"}
    if codings - {b"identity"}:
        raise TooLarge("The answer is packed although that was not asked for.")
    return httpx.Response(
        response.status,
        headers=response.headers,
        stream=stream,
        extensions=dict(response.extensions),
    )


class _Clock:
    """How much time an exchange has left."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._end: float | None = None

    def start(self) -> None:
        self._end = None if self._seconds is None else time.monotonic() + self._seconds

    def left(self, timeout: float | None) -> float | None:
        if self._end is None:
            return timeout
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("The exchange took too long.")
        return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    """A connection that knows the exchange's end."""

    def __init__(self, inner: httpcore.NetworkStream, clock: _Clock) -> None:
        self._inner, self._clock = inner, clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._clock.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._clock.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        left = self._clock.left(timeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Connects to addresses that were checked; a name is looked up once in a client's life."""

    def __init__(self, kind: Kind, clock: _Clock) -> None:
        self._kind, self._clock = kind, clock
        self._inner = httpcore.SyncBackend()
        self._found: dict[tuple[str, int], list[str]] = {}

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None,
        local_address: str | None = None, socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        if (host, port) not in self._found:
            left = self._clock.left(timeout) or SECONDS
            self._found[host, port] = resolve(self._kind, host, port, left)
        addresses = self._found[host, port]
        for address in addresses:
            try:
                made = self._inner.connect_tcp(
                    address, port, self._clock.left(timeout), local_address, socket_options
                )
                return _Stream(made, self._clock)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if address == addresses[-1]:
                    raise
        raise Unreachable(f"{host} has no address.")

    def connect_unix_socket(self, *args: Any, **options: Any) -> httpcore.NetworkStream:
        raise httpcore.UnsupportedProtocol("No sockets of this machine.")

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Transport(httpx.BaseTransport):
    def __init__(
        self, kind: Kind, seconds: float | None, largest: int | None, tls: ssl.SSLContext,
        retries: int,
    ) -> None:  # fmt: skip
        self._clock, self._largest = _Clock(seconds), largest
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls, network_backend=_Backend(kind, self._clock), retries=retries
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._clock.start()
        try:
            response = self._pool.handle_request(_sent(request))
        except Exception as error:
            raise _translated(error) from error
        stream = _Body(response, self._largest)
        try:
            return _answer(response, stream)
        except TooLarge:
            stream.close()
            raise

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response, largest: int | None) -> None:
        self._response, self._largest = response, largest

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        parts = self._response.iter_stream()
        while True:
            try:
                part = next(parts)
            except StopIteration:
                return
            except Exception as error:
                raise _translated(error) from error
            size += len(part)
            if self._largest is not None and size > self._largest:
                raise TooLarge(f"The answer is larger than {self._largest} bytes.")
            yield part

    def close(self) -> None:
        self._response.close()


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._inner = httpcore.AnyIOBackend()
        self._found: dict[tuple[str, int], list[str]] = {}

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None,
        local_address: str | None = None, socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:  # fmt: skip
        if (host, port) not in self._found:
            self._found[host, port] = await resolve_async(
                self._kind, host, port, timeout or SECONDS
            )
        addresses = self._found[host, port]
        for address in addresses:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if address == addresses[-1]:
                    raise
        raise Unreachable(f"{host} has no address.")

    async def connect_unix_socket(
        self, *args: Any, **options: Any
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.UnsupportedProtocol("No sockets of this machine.")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class _AsyncTransport(httpx.AsyncBaseTransport):
    def __init__(
        self, kind: Kind, seconds: float | None, largest: int | None, tls: ssl.SSLContext
    ) -> None:
        self._seconds, self._largest = seconds, largest
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls, network_backend=_AsyncBackend(kind)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        end = None
        if self._seconds is not None:
            end = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(end):
                response = await self._pool.handle_async_request(_sent(request))
        except TimeoutError as error:
            raise httpx.ReadTimeout("The exchange took too long.") from error
        except Exception as error:
            raise _translated(error) from error
        stream = _AsyncBody(response, self._largest, end)
        try:
            return _answer(response, stream)
        except TooLarge:
            await stream.aclose()
            raise

    async def aclose(self) -> None:
        await self._pool.aclose()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(
        self, response: httpcore.Response, largest: int | None, end: float | None
    ) -> None:
        self._response, self._largest, self._end = response, largest, end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        parts = self._response.aiter_stream()
        while True:
            try:
                async with asyncio.timeout_at(self._end):
                    part = await anext(parts)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise httpx.ReadTimeout("The exchange took too long.") from error
            except Exception as error:
                raise _translated(error) from error
            size += len(part)
            if self._largest is not None and size > self._largest:
                raise TooLarge(f"The answer is larger than {self._largest} bytes.")
            yield part

    async def aclose(self) -> None:
        await self._response.aclose()
