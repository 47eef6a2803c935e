"""Home Assistant's WebSocket, and add-on pages at host names of their own."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase

from controller.base.errors import Refused
from controller.base.outbound.websocket import ClientConnection, ConnectionClosed
from controller.dialects.balena import status_of
from controller.dialects.consumers import NOT_PERMITTED, Consumer
from supervisor_proxy.drivers.remote import open_socket, page
from supervisor_proxy.models import IngressSession
from supervisor_proxy.rules import ingress
from supervisor_proxy.rules.supervisors import target_of

GetResponse = Callable[[HttpRequest], HttpResponseBase]
NORMAL = 1000
COOKIE = "__Host-muster-page"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}


class HomeConsumer(Consumer):
    """Core's WebSocket for Home Assistant's clients, authenticated by a portal token."""

    permission = ingress.PERMISSION
    upstream: ClientConnection | None = None
    passing: "asyncio.Task[None] | None" = None

    async def connect(self) -> None:
        if not settings.MUSTER_HOME_REMOTE:
            await self.close(NOT_PERMITTED)
            return
        await super().connect()
        if not getattr(self, "credentials", {}):
            await self.send_event({"type": "auth_required", "ha_version": ""})

    async def receive_text(self, text: str) -> None:
        if not self.is_open:
            with suppress(ValueError, AttributeError, TypeError, RecursionError):
                told = json.loads(text)
                text = json.dumps(
                    {**told, "token": told.get("access_token", told.get("token"))}
                )
        await super().receive_text(text)

    async def on_open(self) -> None:
        device = self.scope["url_route"]["kwargs"]["device_id"]
        try:
            find = database_sync_to_async(ingress.socket_of)
            self.row, target, path = await find(self.user, device)
            self.upstream, version = await open_socket(target, path)
        except Refused as refusal:
            await self.refuse(NOT_PERMITTED, str(refusal))
            return
        await self.send_event({"type": "auth_ok", "ha_version": version})
        self.passing = asyncio.create_task(self.pass_on(self.upstream))

    async def is_still_authorized(self) -> bool:
        row = getattr(self, "row", None)
        if row is None:
            return await super().is_still_authorized()
        return bool(await database_sync_to_async(ingress.may_remotely)(self.user, row))

    async def pass_on(self, upstream: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for text in upstream:
                await self.send(text_data=str(text))
        await self.close(NORMAL)

    async def on_message(self, message: dict[str, Any]) -> None:
        if self.upstream is None:
            return
        if ingress.is_shut(message):
            error = {"code": "unauthorized", "message": "The portal does not pass this on."}
            told = {"id": message.get("id"), "type": "result", "success": False, "error": error}
            await self.send_event(told)
            return
        with suppress(ConnectionClosed):
            await self.upstream.send(json.dumps(message))

    async def on_close(self) -> None:
        if self.passing is not None:
            self.passing.cancel()
        if self.upstream is not None:
            await self.upstream.close()


# --- add-on pages


class OwnOrigins:
    """Middleware that restricts the host names of add-on pages to those pages."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        domain = settings.MUSTER_INGRESS_DOMAIN
        host = str(request.headers.get("host", "")).partition(":")[0].lower()
        if not domain or not host.endswith(f".{domain}"):
            return self.get_response(request)
        try:
            return shown(request, host.removesuffix(f".{domain}"))
        except Refused as refusal:
            return plain(str(refusal), status_of(refusal))


def plain(text: str, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")


def shown(request: HttpRequest, label: str) -> HttpResponseBase:
    if ticket := request.GET.get("muster-ticket", ""):
        answer = HttpResponseRedirect("/")
        cookie = ingress.enter(label, ticket)
        answer.set_cookie(COOKIE, cookie, secure=True, httponly=True, samesite="Lax")
        return answer
    row = ingress.entered(label, request.COOKIES.get(COOKIE, ""))
    if request.path_info == "/":
        return HttpResponseRedirect(row.entry)
    if request.method not in METHODS or not request.path_info.startswith(row.entry):
        return plain("There is no such page.", 404)
    return passed(request, row)


def passed(request: HttpRequest, row: IngressSession) -> HttpResponseBase:
    path = str(request.META.get("RAW_PATH") or request.path)
    if not ingress.is_inside(path, row.entry):
        return plain("There is no such page.", 404)
    stack = ExitStack()
    cookies = {name: one for name, one in request.COOKIES.items() if not name.startswith("__")}
    found = stack.enter_context(
        page(
            target_of(row.supervisor), request.method or "GET", path,
            request.META.get("QUERY_STRING", ""), cookies=cookies, session=row.session,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.body,
        )
    )  # fmt: skip
    answer = StreamingHttpResponse(Closing(found.parts, stack), status=found.status)
    del answer["Content-Type"]
    for name, value in found.headers.items():
        if name != "set-cookie":
            answer[name] = value
    for text in filter(None, found.headers["set-cookie"].split("\n")):
        answer.cookies.load(text)
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


class Closing:
    """Iterator of parts that closes its connection however the response ends."""

    def __init__(self, parts: Iterator[bytes], stack: ExitStack) -> None:
        self.parts, self.stack = parts, stack

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self.parts)

    def close(self) -> None:
        self.stack.close()
