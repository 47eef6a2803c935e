"""Terminals, their recordings, and the WebSocket they are used through."""

import asyncio
from typing import Any

from channels.db import database_sync_to_async
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import CreateModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from controller.accounts.rules.audit import record_audit
from controller.base.errors import Refused
from controller.connections.api.terminal.filters import TerminalFilter
from controller.connections.api.terminal.serializers import TerminalSerializer
from controller.connections.models import Terminal
from controller.connections.rules import recordings, terminals
from controller.connections.rules.terminal_session import Session
from controller.dialects.consumers import BAD_MESSAGE, NOT_PERMITTED, Consumer
from controller.dialects.openwisp import OwnedViewSet, require_user

NORMAL = 1000


class TerminalViewSet(CreateModelMixin, ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Terminals, opened with a ticket at ``/api/v1/ws/terminal``, and recordings."""

    queryset = Terminal.objects.all()
    resource = "terminal"
    permissions = {
        "create": "terminal:open", "close": "terminal:close", "recording": "terminal:replay",
    }  # fmt: skip
    filterset_class = TerminalFilter
    serializer_class = TerminalSerializer

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values = serializer.validated_data
        terminal, ticket = terminals.create_ticket(
            require_user(self.request), values["device"], reason=values["reason"]
        )
        terminal.ticket = ticket  # type: ignore[attr-defined]
        serializer.instance = terminal

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        """Close the terminal, also another user's."""
        terminals.ask_to_close(self.get_object())
        return Response(status=204)

    @extend_schema(responses={(200, "application/x-asciicast"): OpenApiTypes.STR})
    @action(detail=True, methods=["get"])
    def recording(self, request: Request, pk: str) -> HttpResponse:
        """Return the recording in asciicast format."""
        terminal = self.get_object()
        record_audit("terminal.replayed", terminal)
        return HttpResponse(recordings.played(terminal), content_type="application/x-asciicast")


class TerminalConsumer(Consumer):
    """A terminal on a device, opened with a ticket: control messages as JSON, data as binary.

    ``{"type": "open", "ticket": "…", "columns": 80, "rows": 24}`` must be the first
    message, ``{"type": "resize", "columns": …, "rows": …}`` follows each change of the
    window's size, and ``{"type": "close"}`` ends the session: the socket closes once the
    recording is complete. Input and output are binary messages.
    """

    permission = "terminal:open"
    session: Session | None = None
    holding: "asyncio.Task[None] | None" = None

    async def on_message(self, message: dict[str, Any]) -> None:
        if message.get("type") == "close":
            await self.leave()
            return
        columns, rows = message.get("columns"), message.get("rows")
        if not (isinstance(columns, int) and isinstance(rows, int)):
            await self.refuse(BAD_MESSAGE, "columns and rows are whole numbers.")
        elif message.get("type") == "resize" and self.session is not None:
            self.session.resize(columns, rows)
        elif message.get("type") == "open" and self.session is None:
            await self.enter(str(message.get("ticket", "")), columns, rows)
        else:
            await self.refuse(BAD_MESSAGE, 'The first message is of type "open".')

    async def enter(self, ticket: str, columns: int, rows: int) -> None:
        try:
            terminal = await database_sync_to_async(terminals.redeem_ticket)(
                self.user, ticket, columns=columns, rows=rows
            )
        except Refused as refusal:
            await self.refuse(NOT_PERMITTED, str(refusal))
            return
        self.session = Session(terminal)
        self.holding = asyncio.create_task(self.hold(self.session))

    async def hold(self, session: Session) -> None:
        because = await session.run(self.show)
        await self.send_event({"type": "closed", "message": because})
        await self.close(NORMAL)

    async def show(self, data: bytes) -> None:
        await self.send(bytes_data=data)

    async def on_bytes(self, data: bytes) -> None:
        if self.session is not None:
            self.session.typed(data)

    async def leave(self) -> None:
        await self.on_close()
        if self.holding is not None:
            await asyncio.wait({self.holding})
        await self.close(NORMAL)

    async def on_close(self) -> None:
        if self.session is not None:
            self.session.leave()
        if self.holding is not None:
            self.holding.cancel()
