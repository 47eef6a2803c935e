"""A Home Assistant supervisor over HTTP, in a network that both trust."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain

import httpx

from controller.base.errors import OutcomeUnknown, Refused, Unreachable
from supervisor_proxy.drivers.contract import BadAnswer, Order, Target
from supervisor_proxy.drivers.http import CONNECT_SECONDS, dialled, exchange
from supervisor_proxy.engine.answers import LARGEST_ANSWER, Reply


class Hassio:
    """Direct HTTP. Supervisors before 198 read one header, later ones the other too."""

    async def call(self, target: Target, order: Order) -> Reply:
        return await exchange(target, order, headers=credentials(target), query=order.query)


def credentials(target: Target) -> dict[str, str]:
    if not target.key:
        return {}
    return {"X-Hassio-Key": target.key, "Authorization": f"Bearer {target.key}"}


# Between two parts of a stream; the whole may take hours.
PATIENCE = httpx.Timeout(120.0, connect=CONNECT_SECONDS)
BLOCK = 256 * 1024
BOUNDARY = "muster-7d9f2c61b0a84e53"


@dataclass(frozen=True, slots=True)
class Download:
    status: int
    headers: Mapping[str, str]
    parts: Iterator[bytes]


@contextmanager
def download(target: Target, path: str, *, byte_range: str = "") -> Iterator[Download]:
    """A file as it comes, part by part. Raises as the contract says, before the first part."""
    headers = {**credentials(target), "Accept-Encoding": "identity"}
    if byte_range:
        headers["Range"] = byte_range
    with _client() as client, ExitStack() as stack:
        try:
            answer = stack.enter_context(
                client.stream("GET", _url(target, path), headers=headers)
            )
        except httpx.HTTPError as error:
            raise _refusal(error) from None
        yield Download(answer.status_code, answer.headers, answer.iter_raw(BLOCK))


def upload(
    target: Target, path: str, parts: Iterable[bytes], *, size: int | None, as_form: bool
) -> Reply:
    """Send a file part by part: as it is, or as the only one of a form, as the device reads it."""
    before, after, kind = b"", b"", "application/tar"
    if as_form:
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        before = (
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
            'name="file"; filename="backup.tar"\r\nContent-Type: application/tar\r\n\r\n'
        ).encode()
        after = f"\r\n--{BOUNDARY}--\r\n".encode()
    headers = {
        **credentials(target),
        "Content-Type": kind,
    }
    # Without it, the parts go as chunks.
    if size is not None:
        headers["Content-Length"] = str(len(before) + size + len(after))
    with _client() as client:
        try:
            answer = client.post(
                _url(target, path), headers=headers, content=chain([before], parts, [after])
            )
        except httpx.HTTPError as error:
            raise _refusal(error) from None
    if len(answer.content) > LARGEST_ANSWER:
        raise BadAnswer("The answer of the device is too large.", code="too_large")
    return Reply(answer.status_code, answer.headers.get("content-type", ""), answer.content)


def _client() -> httpx.Client:
    return httpx.Client(trust_env=False, follow_redirects=False, timeout=PATIENCE)


def _url(target: Target, path: str) -> httpx.URL:
    return httpx.URL(scheme="http", host=dialled(target), port=target.port, path=path)


def _refusal(error: httpx.HTTPError) -> Refused:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Unreachable("The device is not there, so nothing was done.", code="offline")
    return OutcomeUnknown("The connection to the device broke.", code="no_answer")
