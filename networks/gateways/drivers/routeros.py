"""RouterOS's binary API: sentences of length-prefixed words.

Source: help.mikrotik.com/docs/spaces/ROS/pages/47579160/API. The login is that of 6.43 and
later; older routers use a challenge whose response is a hash equivalent to the password.
"""

import contextlib
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from controller.base.outbound import Kind, http, tcp
from networks.gateways.drivers.contract import (
    Call,
    Endpoint,
    OutcomeUnknown,
    Rejected,
    TimedOut,
    Unreachable,
)
from networks.gateways.drivers.http import SHOWN, unreached

PORTS = {8728, 8729}
LARGEST = 1 << 20
Rows = list[dict[str, str]]


# Prefix lengths: (limit, marker bits) of a length encoded in 1, 2, 3 and 4 bytes.
LENGTHS = ((0x80, 0), (0x4000, 0x8000), (0x200000, 0xC00000), (0x10000000, 0xE0000000))


def framed(word: str) -> bytes:
    data = word.encode()
    count, mark = next(
        (n, mark) for n, (limit, mark) in enumerate(LENGTHS, 1) if len(data) < limit
    )
    return (len(data) | mark).to_bytes(count, "big") + data


class Binary:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.calls: list[Call] = []
        self.has_sent = False
        self._open()

    def reconnect(self) -> None:
        self.close()
        self._open()

    def _open(self) -> None:
        endpoint = self._endpoint
        url = urlsplit(endpoint.url)
        host = url.hostname or ""
        try:
            self._socket = tcp.connect(
                Kind.GATEWAY, host, url.port or 0, seconds=endpoint.seconds
            )
            if url.scheme == "https":
                context = http.trusted_or_pinned(endpoint.ca_certificate, endpoint.fingerprint)
                self._socket = context.wrap_socket(self._socket, server_hostname=host)
        except TimeoutError as error:
            raise TimedOut("The router does not answer in time.") from error
        except OSError as error:
            raise Unreachable(unreached(error).replace("gateway", "router")) from error
        self._buffer = b""
        who = {"name": endpoint.credentials["key"], "password": endpoint.credentials["secret"]}
        try:
            self._talk("/login", who)
        except Rejected as error:
            raise Unreachable("The router does not accept the user and password.") from error

    def rows(self, menu: str, target: str = "") -> Rows:
        asked = [f"?.id={target}"] if target else []
        return self._talk(f"/{menu}/print", {}, asked)[0]

    def add(self, menu: str, values: Mapping[str, str]) -> str:
        return self._talk(f"/{menu}/add", values, is_write=True)[1].get("ret", "")

    def put(self, menu: str, target: str, values: Mapping[str, str]) -> None:
        which = {".id": target} if target else {}
        self._talk(f"/{menu}/set", {**which, **values}, is_write=True)

    def remove(self, menu: str, target: str) -> None:
        self._talk(f"/{menu}/remove", {".id": target}, is_write=True)

    def call(self, path: str, values: Mapping[str, str]) -> None:
        self._talk(f"/{path}", values, is_write=True)

    def run(self, path: str, values: Mapping[str, str]) -> Rows:
        """Run a command that changes nothing, and return what it answers."""
        rows, last = self._talk(f"/{path}", values)
        return rows or [last]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

    def _talk(
        self,
        command: str,
        values: Mapping[str, str],
        more: list[str] | None = None,
        *,
        is_write: bool = False,
    ) -> tuple[Rows, dict[str, str]]:
        if is_write and self._endpoint.rehearses:
            self.calls.append(Call("sentence", command, dict(values)))
            return [], {"ret": "{new}"}
        words = [
            command,
            *(f"={name}={value}" for name, value in values.items()),
            *(more or []),
        ]
        try:
            self._socket.sendall(b"".join(map(framed, words)) + b"\x00")
            answer = self._answer()
        except (OSError, EOFError) as error:
            self.has_sent = self.has_sent or is_write
            if is_write:
                raise OutcomeUnknown("The router got the change and did not answer.") from error
            if isinstance(error, TimeoutError):
                raise TimedOut("The router does not answer in time.") from error
            raise Unreachable("The router does not answer as it should.") from error
        self.has_sent = self.has_sent or is_write
        return answer

    def _answer(self) -> tuple[Rows, dict[str, str]]:
        """Read rows up to ``!done`` and return them with its attributes."""
        rows: Rows = []
        refusal = ""
        while True:
            kind, *words = self._sentence()
            told = dict(attributes(words))
            if kind == "!re":
                rows.append(told)
            elif kind == "!trap":
                refusal = refusal or told.get("message", "it does not say why")
            elif kind == "!fatal":
                raise EOFError("The router ends the connection.")
            elif kind == "!done":
                if refusal:
                    raise Rejected(f"The router refuses: {refusal[:SHOWN]}")
                return rows, told

    def _sentence(self) -> list[str]:
        found: list[str] = []
        while word := self._word():
            found.append(word)
        return found or [""]

    def _word(self) -> str:
        first = self._take(1)[0]
        more = next((n for n, top in enumerate((0x80, 0xC0, 0xE0, 0xF0)) if first < top), 4)
        mask = (0x7F, 0x3F, 0x1F, 0x0F, 0)[more]
        size = int.from_bytes(bytes([first & mask]) + self._take(more), "big")
        if size > LARGEST:
            raise EOFError("The router sends what is no sentence.")
        return self._take(size).decode(errors="replace")

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            part = self._socket.recv(65536)
            if not part:
                raise EOFError("The router ended the connection.")
            self._buffer += part
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found


def attributes(words: list[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        if word.startswith("="):
            name, _, value = word[1:].partition("=")
            yield name, value
