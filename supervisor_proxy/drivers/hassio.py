"""Driver for Home Assistant supervisors over HTTP in a trusted network."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain

from controller.base.errors import OutcomeUnknown, Refused, Unreachable
from controller.base.outbound import Kind, http
from controller.base.streams import with_ticks
from supervisor_proxy.drivers.contract import BadAnswer, Download, Order, Target
from supervisor_proxy.drivers.http import CONNECT_SECONDS, dialled, exchange
from supervisor_proxy.engine.answers import LARGEST_ANSWER, Reply

# Timeout between two parts of a stream; the whole stream may take hours.
PATIENCE = http.Timeout(120.0, connect=CONNECT_SECONDS)
# Followed logs may be silent for long.
FOLLOWING = http.Timeout(None, connect=CONNECT_SECONDS, read=300.0)
BLOCK = 256 * 1024
BOUNDARY = "muster-7d9f2c61b0a84e53"


class Hassio:
    """Direct HTTP. Supervisors before 198 read one header, later ones also the other."""

    async def call(self, target: Target, order: Order) -> Reply:
        return await exchange(target, order, headers=credentials(target), query=order.query)

    @contextmanager
    def download(self, target: Target, order: Order) -> Iterator[Download]:
        with fetched(url(target, order), order, credentials(target)) as found:
            yield found

    def upload(
        self, target: Target, order: Order, parts: Iterable[bytes], *, size: int | None
    ) -> Reply:
        return sent(url(target, order), order, credentials(target), parts, size=size)


def credentials(target: Target) -> dict[str, str]:
    if not target.key:
        return {}
    return {"X-Hassio-Key": target.key, "Authorization": f"Bearer {target.key}"}


def url(target: Target, order: Order, prefix: str = "") -> http.URL:
    return http.URL(
        scheme="http", host=dialled(target), port=target.port, path=f"{prefix}{order.path}",
        params=dict(order.query) or None,
    )  # fmt: skip


@contextmanager
def fetched(
    where: http.URL, order: Order, credentials: Mapping[str, str]
) -> Iterator[Download]:
    headers = {**credentials, "Accept-Encoding": "identity"}
    if order.byte_range:
        headers["Range"] = order.byte_range
    if order.accept:
        headers["Accept"] = order.accept
    with _client(follows=order.follows) as client, ExitStack() as stack:
        try:
            answer = stack.enter_context(client.stream("GET", where, headers=headers))
        except http.HTTPError as error:
            raise _refusal(error) from None
        # Pass followed logs on as they arrive.
        parts = answer.iter_raw(None if order.follows else BLOCK)
        ticking = with_ticks(_told(parts), interrupt=partial(http.hang_up, answer))
        stack.callback(ticking.close)
        yield Download(answer.status_code, answer.headers, ticking)


def _told(parts: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from parts
    except http.HTTPError as error:
        raise _refusal(error) from None


def form(size: int | None, *, as_form: bool) -> tuple[bytes, bytes, dict[str, str]]:
    """Return the bytes before and after the file, and the headers of the request."""
    before, after, kind = b"", b"", "application/tar"
    if as_form:
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        before = (
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
            'name="file"; filename="backup.tar"\r\nContent-Type: application/tar\r\n\r\n'
        ).encode()
        after = f"\r\n--{BOUNDARY}--\r\n".encode()
    headers = {"Content-Type": kind}
    # Without a Content-Length, chunked encoding is used.
    if size is not None:
        headers["Content-Length"] = str(len(before) + size + len(after))
    return before, after, headers


def sent(
    where: http.URL, order: Order, credentials: Mapping[str, str], parts: Iterable[bytes],
    *, size: int | None,
) -> Reply:  # fmt: skip
    before, after, headers = form(size, as_form=order.as_form)
    with _client(largest=LARGEST_ANSWER) as client:
        try:
            answer = client.post(
                where,
                headers={**credentials, **headers},
                content=chain([before], parts, [after]),
            )
        except http.TooLarge:
            raise BadAnswer(
                "The answer of the device is too large.", code="too_large"
            ) from None
        except http.HTTPError as error:
            raise _refusal(error) from None
    return Reply(answer.status_code, answer.headers.get("content-type", ""), answer.content)


def _client(*, follows: bool = False, largest: int | None = None) -> http.Client:
    timeout = FOLLOWING if follows else PATIENCE
    return http.client(Kind.SUPERVISOR, timeout=timeout, seconds=None, largest=largest)


def _refusal(error: http.HTTPError) -> Refused:
    if isinstance(error, http.ConnectError | http.ConnectTimeout):
        return Unreachable("The device is not there, so nothing was done.", code="offline")
    return OutcomeUnknown("The connection to the device broke.", code="no_answer")
