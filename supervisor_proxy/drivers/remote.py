"""Driver for Home Assistant's WebSocket and add-on pages, with header lists."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from http.cookies import CookieError, SimpleCookie

from controller.base.errors import OutcomeUnknown, Unreachable
from controller.base.outbound import Kind, http
from controller.base.outbound.websocket import ClientConnection, WebSocketException, connect
from controller.base.streams import with_ticks
from supervisor_proxy.drivers.contract import BadAnswer, Download, Target
from supervisor_proxy.drivers.http import CONNECT_SECONDS, dialled

LARGEST_MESSAGE = 16 * 1024 * 1024
SESSION = "ingress_session"
# Request headers passed on: no credentials and nothing that identifies the user.
ASKED = (
    "accept", "accept-language", "content-type", "range", "if-none-match", "if-modified-since",
    "cache-control", "x-requested-with",
)  # fmt: skip
# Response headers passed on: none with effect on other pages.
ANSWERED = (
    "content-type", "content-length", "content-disposition", "content-range", "accept-ranges",
    "cache-control", "etag", "last-modified", "location",
)  # fmt: skip
PATIENCE = http.Timeout(60.0, connect=CONNECT_SECONDS)


async def open_socket(target: Target, path: str) -> tuple[ClientConnection, str]:
    """Open Home Assistant's WebSocket and authenticate. Returns it with the version."""
    host = dialled(target)
    try:
        socket = await connect(
            Kind.SUPERVISOR, host, target.port, path, seconds=CONNECT_SECONDS,
            largest=LARGEST_MESSAGE,
        )  # fmt: skip
        async with asyncio.timeout(CONNECT_SECONDS):
            first = json.loads(await socket.recv())
            await socket.send(json.dumps({"type": "auth", "access_token": target.key}))
            if json.loads(await socket.recv())["type"] == "auth_ok":
                return socket, str(first.get("ha_version", ""))
        await socket.close()
    except (OSError, TimeoutError, WebSocketException, Unreachable):
        raise Unreachable("Home Assistant is not there.", code="offline") from None
    except (ValueError, KeyError, AttributeError):
        raise BadAnswer("The answer is not from Home Assistant.", code="bad_answer") from None
    raise BadAnswer("The device does not take the portal's key.", code="device_unauthorized")


@contextmanager
def page(
    target: Target, method: str, path: str, query: str, *,
    headers: Mapping[str, str], cookies: Mapping[str, str], session: str, body: bytes,
) -> Iterator[Download]:  # fmt: skip
    """Make one request to an add-on's page. ``headers`` have lower-case names."""
    url = http.URL(
        scheme="http",
        host=dialled(target),
        port=target.port,
        raw_path=f"{path}?{query}".encode(),
    )
    given = {name: headers[name] for name in ASKED if headers.get(name)}
    jar = "; ".join(f"{name}={value}" for name, value in {**cookies, SESSION: session}.items())
    client = http.client(Kind.SUPERVISOR, timeout=PATIENCE, seconds=None, largest=None)
    with client, ExitStack() as stack:
        try:
            answer = stack.enter_context(
                client.stream(
                    method, url, content=body or None,
                    headers={**given, "Cookie": jar, "Accept-Encoding": "identity"},
                )
            )  # fmt: skip
        except (http.ConnectError, http.ConnectTimeout):
            raise Unreachable("Home Assistant is not there.", code="offline") from None
        except http.HTTPError:
            raise OutcomeUnknown(
                "The connection to the device broke.", code="no_answer"
            ) from None
        told = {name: answer.headers[name] for name in ANSWERED if name in answer.headers}
        kept = [own(text) for text in answer.headers.get_list("set-cookie")]
        told["set-cookie"] = "\n".join(filter(None, kept))
        parts = with_ticks(answer.iter_raw(), interrupt=partial(http.hang_up, answer))
        stack.callback(parts.close)
        yield Download(answer.status_code, told, parts)


def own(text: str) -> str:
    """Restrict an add-on's cookie to its origin; empty if it is not passed on."""
    try:
        found = SimpleCookie(text)
    except CookieError:
        return ""
    for name, morsel in found.items():
        if name == SESSION or name.startswith("__"):
            return ""
        morsel["domain"] = ""
        return morsel.OutputString()
    return ""
