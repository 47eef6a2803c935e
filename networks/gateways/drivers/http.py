"""Common part of the HTTP drivers: connection and error mapping."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from controller.base.outbound import Kind, http
from networks.gateways.drivers.contract import (
    Call,
    Endpoint,
    OutcomeUnknown,
    Rejected,
    TimedOut,
    Unreachable,
)

# With these statuses the gateway has changed nothing.
REFUSALS = frozenset({400, 401, 403, 404, 405, 406, 409, 412, 415, 422, 501})
# With these statuses the gateway is busy and has changed nothing.
BUSY = frozenset({429})
SHOWN = 300
BOOT_SECONDS = 600


def boot(uptime: float) -> str:
    """Return a boot time from an uptime, rounded so that it is stable between calls."""
    return f"boot {int(time.time() - uptime) // BOOT_SECONDS}"


class Http:
    """HTTP connection to a gateway.

    ``root`` is the API's path below the gateway's own. ``pretended`` is the response to
    writes in a dry run, so that later requests are recorded too.
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
        path = url.path.rstrip("/") if keeps_path else ""
        self.path = url.path.strip("/")
        self.credentials = endpoint.credentials
        self.rehearses = endpoint.rehearses
        self.calls: list[Call] = []
        self.has_sent = False
        self.seconds = endpoint.seconds
        self._make = partial(
            http.client,
            Kind.GATEWAY,
            base_url=f"{url.scheme}://{url.netloc.rpartition('@')[2]}{path}/{root}",
            auth=auth,
            headers=headers,
            timeout=endpoint.seconds,
            tls=http.trusted_or_pinned(endpoint.ca_certificate, endpoint.fingerprint),
        )
        self._client = self._make()
        # Lists read since the last write, so that ids and reads share one response.
        self._kept: dict[str, Any] = {}

    def reconnect(self) -> None:
        """Open a new connection: an established one may survive a rule that blocks us."""
        self._client.close()
        self._client = self._make()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def request(
        self, method: str, path: str, *, is_write: bool = False, **sent: Any
    ) -> http.Response:
        """Send a request and return its response. ``sent`` are arguments of httpx."""
        if is_write and self.rehearses:
            body = sent.get("json") or sent.get("data") or sent.get("params")
            self.calls.append(Call(method, self._client.base_url.path + path, body))
            return http.Response(200, json=self.pretended)
        if is_write:
            self._kept.clear()
        try:
            answer = self._client.request(method, path, **sent)
        except http.ConnectTimeout as error:
            raise TimedOut("The gateway does not answer in time.") from error
        except (http.ConnectError, http.PoolTimeout, http.InvalidURL) as error:
            raise Unreachable(unreached(error)) from error
        except http.HTTPError as error:
            self.has_sent = self.has_sent or is_write
            raise lost(error, is_write=is_write) from error
        return answer

    def ask(self, method: str, path: str, *, is_write: bool = False, **sent: Any) -> Any:
        """Send a request and return the JSON of its response. Raises on error statuses."""
        answer = self.request(method, path, is_write=is_write, **sent)
        self.checked(answer, is_write=is_write)
        return decoded(answer, is_write=is_write)

    def checked(self, answer: http.Response, *, is_write: bool, reason: str = "") -> None:
        """Raise unless the status is a success. The message repeats no sent values."""
        status = answer.status_code
        if status in {401, 403}:
            raise Unreachable(
                "The gateway does not accept the key, or the key may not do this."
            )
        if status in self.busy:
            raise Unreachable(f"The gateway is busy (status {status}){later(answer)}")
        if status in self.refusals and is_write:
            raise Rejected(reason[:SHOWN] or f"The gateway answers with status {status}.")
        self.has_sent = self.has_sent or is_write
        if not answer.is_success:
            kind = OutcomeUnknown if is_write else Unreachable
            raise kind(f"The gateway answers with status {status}.")


def unreached(error: Exception) -> str:
    """Return why nothing was sent; names a rejected certificate."""
    text = str(error)
    if "fingerprint" in text:
        return text[:SHOWN]
    if "CERTIFICATE_VERIFY_FAILED" in text:
        reason = text.partition("verify failed: ")[2].partition(" (_ssl")[0]
        return f"The gateway's certificate is not trusted ({reason or 'verification failed'})."
    return "The gateway cannot be reached."


def later(answer: http.Response) -> str:
    """Return the time of Retry-After as the end of a message."""
    seconds = answer.headers.get("retry-after", "")
    return f"; it wants to be asked again in {seconds} s." if seconds.isdigit() else "."


def lost(error: http.HTTPError, *, is_write: bool) -> Exception:
    """Map a transport error to OutcomeUnknown, TimedOut or Unreachable."""
    if is_write:
        return OutcomeUnknown("The gateway got the change and did not answer.")
    if isinstance(error, http.TimeoutException):
        return TimedOut("The gateway does not answer in time.")
    return Unreachable(f"The gateway does not answer as it should ({type(error).__name__}).")


def decoded(answer: http.Response, *, is_write: bool = False) -> Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError as error:
        kind = OutcomeUnknown if is_write else Unreachable
        raise kind("The gateway's answer is no JSON.") from error
