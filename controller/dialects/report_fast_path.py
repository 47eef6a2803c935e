"""Reports of monitoring agents, taken together before Django is entered.

All that come within a moment are one transaction, and each is answered when it is on disk:
agents set no timeout, and delete a report once they are told 200. Whatever is slow or full
answers 503 at last, for an agent sends again every few seconds what it was refused.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from django.conf import settings
from django.db import close_old_connections

from controller.monitoring.rules import reports
from controller.monitoring.rules.reports import Answer, Posted
from controller.wsgi_bridge import ClientGone, Receive, Scope, Send, read_body

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Agents whose address of the portal ends in a slash ask with two.
PATH = re.compile(r"/{1,2}api/v1/monitoring/device/([0-9a-fA-F]{32}|[0-9a-fA-F-]{36})/")
GATHER_SECONDS = 0.1
AT_ONCE = 200
MOST_WAITING = 5000
FULL = Answer.detail(503, "Too many reports are waiting. Send it again.")
# A larger body would be sent again for ever if it were answered 413.
TOO_LARGE = Answer.detail(400, "The report is too large.")

log = logging.getLogger(__name__)


class ReportFastPath:
    """ASGI: takes reports, and hands everything else on."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.waiting: list[tuple[Posted, asyncio.Future[Answer]]] = []
        self.gatherer: asyncio.Task[None] | None = None
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="reports")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            asked = PATH.fullmatch(scope["path"])
            device = asked and device_of(asked[1])
            if device:
                with suppress(ClientGone):
                    await answer(send, await self.taken(device, scope, receive))
                return
        await self.application(scope, receive, send)

    async def taken(self, device: UUID, scope: Scope, receive: Receive) -> Answer:
        body = BytesIO()
        size = await read_body(scope, body, receive, settings.MUSTER_BODY_LIMIT)
        if size > settings.MUSTER_BODY_LIMIT:
            return TOO_LARGE
        if len(self.waiting) >= MOST_WAITING:
            return FULL
        found: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.waiting.append((posted(device, scope, body.getvalue()), found))
        if self.gatherer is None or self.gatherer.done():
            self.gatherer = asyncio.create_task(self.gather())
        return await found

    async def gather(self) -> None:
        """Keep all that wait, some at a time, until none does."""
        loop = asyncio.get_running_loop()
        while self.waiting:
            if len(self.waiting) < AT_ONCE:
                await asyncio.sleep(GATHER_SECONDS)
            some, self.waiting = self.waiting[:AT_ONCE], self.waiting[AT_ONCE:]
            answers = [reports.NOT_KEPT] * len(some)
            try:
                answers = await loop.run_in_executor(self.pool, kept, [one for one, _ in some])
            except Exception:
                log.exception("%d reports could not be taken", len(some))
            for (_, found), one in zip(some, answers, strict=True):
                if not found.done():  # its agent may have gone
                    found.set_result(one)


def device_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def posted(device: UUID, scope: Scope, body: bytes) -> Posted:
    query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    client = scope.get("client")
    return Posted(
        device=device,
        key=query.get("key", ""),
        body=body,
        arrived=time.time(),
        time=query.get("time", ""),
        address=client[0] if client else "",
    )


def kept(some: list[Posted]) -> list[Answer]:
    close_old_connections()
    return reports.receive(some)


async def answer(send: Send, found: Answer) -> None:
    body = b"" if found.body is None else orjson.dumps(found.body)
    headers = [(b"content-length", str(len(body)).encode())]
    if body:
        headers.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": found.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
