"""WebSocket of a terminal: JSON control messages as text, data as binary."""

import asyncio
from typing import Any

from channels.db import database_sync_to_async

from controller.base.errors import Refused
from controller.dialects.consumers import BAD_MESSAGE, NOT_PERMITTED, Consumer
from supervisor_proxy.rules import terminals

NORMAL = 1000


class TerminalConsumer(Consumer):
    """A terminal on a device, opened with a ticket.

    ``{"type": "open", "ticket": "…", "columns": 80, "rows": 24}`` must be the first
    message, ``{"type": "resize", "columns": …, "rows": …}`` follows each change of the
    window's size, and ``{"type": "close"}`` ends the session: the socket closes once the
    recording is complete. Input and output are binary messages.
    """

    permission = "terminal:open"
    session: terminals.Session | None = None
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
        self.session = terminals.Session(terminal)
        self.holding = asyncio.create_task(self.hold(self.session))

    async def hold(self, session: terminals.Session) -> None:
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
