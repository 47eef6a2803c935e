"""What the drivers that speak HTTP have in common: where to connect, and what errors mean."""

import ssl
import time
from collections.abc import Mapping
from functools import lru_cache, partial
from ipaddress import ip_address
from socket import getaddrinfo
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

import httpx

from networks.gateways.drivers.contract import (
    Call,
    Endpoint,
    OutcomeUnknown,
    Rejected,
    TimedOut,
    Unreachable,
)

# It has changed nothing when it answers with one of these.
REFUSALS = frozenset({400, 401, 403, 404, 405, 406, 409, 412, 415, 422, 501})
# It has no time, and has changed nothing either.
BUSY = frozenset({429})
SHOWN = 300
BOOT_SECONDS = 600


def pinned(endpoint: Endpoint) -> tuple[str, str]:
    """The address to connect to, and the name that its certificate is for."""
    url = urlsplit(endpoint.url)
    host = url.hostname or ""
    try:
        found = [one[4][0] for one in getaddrinfo(host, url.port or 443)]
    except OSError as error:
        raise Unreachable(f"The name {host} is not known.") from error
    for text in found:
        address = ip_address(str(text).split("%")[0])
        mapped = getattr(address, "ipv4_mapped", None) or address
        if mapped.is_loopback and endpoint.is_local_allowed:
            continue
        if mapped.is_loopback or mapped.is_link_local or mapped.is_multicast:
            raise Unreachable(f"{host} is no address of a gateway.")
        if mapped.is_unspecified:
            raise Unreachable(f"{host} is no address of a gateway.")
    return str(found[0]), host


@lru_cache(maxsize=64)
def trusted(ca_certificate: str) -> ssl.SSLContext:
    """Kept, for reading all authorities of the system takes longer than most calls."""
    found = ssl.create_default_context()
    if ca_certificate:
        found.load_verify_locations(cadata=ca_certificate)
    return found


def boot(uptime: float) -> str:
    """When it booted, for those that tell only how long they run; coarse, for rounding."""
    return f"boot {int(time.time() - uptime) // BOOT_SECONDS}"


class Http:
    """A connection. ``root`` is where the API begins; an address's own path may come first.

    ``pretended`` is what a write is answered with in a rehearsal, so that the rest is shown too.
    """

    pretended: Any = None
    refusals: ClassVar[frozenset[int]] = REFUSALS
    busy: ClassVar[frozenset[int]] = BUSY

    def __init__(
        self,
        endpoint: Endpoint,
        root: str,
        *,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        keeps_path: bool = True,
    ) -> None:
        url = urlsplit(endpoint.url)
        address, self._name = pinned(endpoint)
        shown = f"[{address}]" if ":" in address else address
        port = f":{url.port}" if url.port else ""
        path = url.path.rstrip("/") if keeps_path else ""
        self.path = url.path.strip("/")
        self.credentials = endpoint.credentials
        self.rehearses = endpoint.rehearses
        self.calls: list[Call] = []
        self.has_sent = False
        self._make = partial(
            httpx.Client,
            base_url=f"{url.scheme}://{shown}{port}{path}/{root}",
            auth=auth,
            headers={"Host": url.netloc.rpartition("@")[2], **(headers or {})},
            timeout=endpoint.seconds,
            verify=trusted(endpoint.ca_certificate),
            trust_env=False,
        )
        self._client = self._make()
        # Lists that were read since the last write: what is read one by one comes of one answer.
        self._kept: dict[str, Any] = {}

    def reconnect(self) -> None:
        """Begin anew: a connection that is there can outlive the rule that let it in."""
        self._client.close()
        self._client = self._make()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def request(
        self, method: str, path: str, *, is_write: bool = False, **sent: Any
    ) -> httpx.Response:
        """One exchange, whatever its status; ``sent`` is httpx's json, data, params, headers."""
        if is_write and self.rehearses:
            body = sent.get("json") or sent.get("data") or sent.get("params")
            self.calls.append(Call(method, self._client.base_url.path + path, body))
            return httpx.Response(200, json=self.pretended)
        if is_write:
            self._kept.clear()
        try:
            answer = self._client.request(
                method, path, extensions={"sni_hostname": self._name}, **sent
            )
        except httpx.ConnectTimeout as error:
            raise TimedOut("The gateway does not answer in time.") from error
        except (httpx.ConnectError, httpx.PoolTimeout, httpx.InvalidURL) as error:
            raise Unreachable("The gateway cannot be reached.") from error
        except httpx.HTTPError as error:
            self.has_sent = self.has_sent or is_write
            raise lost(error, is_write=is_write) from error
        self.has_sent = self.has_sent or is_write
        return answer

    def ask(self, method: str, path: str, *, is_write: bool = False, **sent: Any) -> Any:
        """One exchange that has to succeed; the JSON that came back."""
        answer = self.request(method, path, is_write=is_write, **sent)
        self.checked(answer, is_write=is_write)
        return decoded(answer, is_write=is_write)

    def checked(self, answer: httpx.Response, *, is_write: bool, reason: str = "") -> None:
        """Raise unless the status says that all is well. No value that was sent is repeated."""
        status = answer.status_code
        if status in {401, 403}:
            raise Unreachable(
                "The gateway does not accept the key, or the key may not do this."
            )
        if status in self.busy:
            raise Unreachable(f"The gateway is busy (status {status}){later(answer)}")
        if status in self.refusals and is_write:
            raise Rejected(reason[:SHOWN] or f"The gateway answers with status {status}.")
        if not answer.is_success:
            kind = OutcomeUnknown if is_write else Unreachable
            raise kind(f"The gateway answers with status {status}.")


def later(answer: httpx.Response) -> str:
    """When it may be asked again, as it says itself."""
    seconds = answer.headers.get("retry-after", "")
    return f"; it wants to be asked again in {seconds} s." if seconds.isdigit() else "."


def lost(error: httpx.HTTPError, *, is_write: bool) -> Exception:
    """The request was sent, and no answer came back."""
    if is_write:
        return OutcomeUnknown("The gateway got the change and did not answer.")
    if isinstance(error, httpx.TimeoutException):
        return TimedOut("The gateway does not answer in time.")
    return Unreachable(f"The gateway does not answer as it should ({type(error).__name__}).")


def decoded(answer: httpx.Response, *, is_write: bool = False) -> Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError as error:
        kind = OutcomeUnknown if is_write else Unreachable
        raise kind("The gateway's answer is no JSON.") from error
