"""Terminals: permissions, tickets, limits and recordings."""

import asyncio
import codecs
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from channels.db import database_sync_to_async as write
from django.db import transaction
from django.utils import timezone

from controller.accounts.models import User
from controller.base.errors import Conflict, NotAuthenticated, NotPermitted, Refused
from controller.base.request_context import current_context
from controller.base.secrets import digest
from controller.connections.drivers.contract import SshTarget
from controller.connections.drivers.terminal import TerminalSession, open_terminal
from controller.connections.models import DeviceConnection
from controller.connections.rules import record_attempts, usable_connections
from controller.connections.rules.ssh_access import ssh_target
from controller.devices.models import Device
from supervisor_proxy.models import Terminal, TerminalPart

State = Terminal.State
TICKET_LIFE = timedelta(seconds=60)
MOST_OF_A_USER = 5
MOST_OF_A_DEVICE = 3
LONGEST_REASON = 200
IDLE_SECONDS = 600.0
ABSOLUTE_SECONDS = 3600.0
LOOK_SECONDS = 2.0
# Output is buffered up to this size before it is stored.
WRITE_BYTES = 32 * 1024
LARGEST_RECORDING = 20 * 1024 * 1024
MOST_EARLY = 4096
# Terminals without a heartbeat for this long belong to a dead process.
SILENCE = timedelta(seconds=60)


def connection_for(device: Device) -> DeviceConnection:
    """Return the device's SSH connection. The caller cannot choose an address."""
    if device.is_deactivated:
        raise NotPermitted("The device is out of service.", code="out_of_service")
    connection = usable_connections([device.pk]).get(device.pk)
    if connection is None:
        raise Refused("The device needs a management address and an enabled connection.")
    return connection


@transaction.atomic
def create_ticket(user: User, device: Device, *, reason: str) -> tuple[Terminal, str]:
    """Create a terminal and its one-time ticket, valid for a minute."""
    may_open(user, device)
    connection = connection_for(device)
    reason = reason.strip()
    if not 1 <= len(reason) <= LONGEST_REASON:
        raise Refused({"reason": [f"Say in 1 to {LONGEST_REASON} characters what it is for."]})
    forget_dead()
    is_open = Terminal.objects.filter(state=State.OPEN)
    if is_open.filter(user=user).count() >= MOST_OF_A_USER:
        raise Conflict(f"You have {MOST_OF_A_USER} terminals open. Close one first.")
    if is_open.filter(device=device).count() >= MOST_OF_A_DEVICE:
        raise Conflict(
            f"{MOST_OF_A_DEVICE} terminals are open on this device. Close one first."
        )
    ticket = secrets.token_urlsafe(32)
    terminal = Terminal.objects.create(
        device=device,
        connection=connection,
        user=user,
        actor=user.get_username(),
        address=current_context().address or None,
        reason=reason,
        ticket_digest=digest(ticket),
        ticket_expires=timezone.now() + TICKET_LIFE,
    )
    return terminal, ticket


def may_open(user: User, device: Device) -> None:
    if not user.has_perm_on("terminal:open", device):
        raise NotPermitted("You do not have permission to open terminals on this device.")


@transaction.atomic
def redeem_ticket(user: User, ticket: str, *, columns: int, rows: int) -> Terminal:
    """Open the terminal of a ticket. The ticket works once, and only for its user."""
    found: Terminal | None = (
        Terminal.objects.select_for_update(of=("self",))
        .filter(ticket_digest=digest(ticket), state=State.OFFERED)
        .select_related("device", "connection__credentials", "connection__device")
        .first()
    )
    now = timezone.now()
    if found is None or found.user_id != user.pk or (found.ticket_expires or now) <= now:
        raise NotAuthenticated("The ticket is used, expired or somebody else's. Open it again.")
    may_open(user, found.device)
    found.state, found.ticket_digest = State.OPEN, None
    found.opened = found.last_seen = now
    found.columns, found.rows = min(max(columns, 2), 500), min(max(rows, 2), 200)
    found.save()
    return found


@transaction.atomic
def close(terminal: Terminal, because: str) -> None:
    row = Terminal.objects.select_for_update(of=("self",)).get(pk=terminal.pk)
    if row.state != State.CLOSED:
        row.state, row.closed, row.ticket_digest = State.CLOSED, timezone.now(), None
        row.closed_because = because[:200]
        row.save()


@transaction.atomic
def ask_to_close(terminal: Terminal) -> None:
    """Request the process that holds an open terminal to close it."""
    row = Terminal.objects.select_for_update(of=("self",)).get(pk=terminal.pk)
    if row.state == State.OFFERED:
        close(row, "It was withdrawn.")
    elif row.state == State.OPEN:
        row.is_to_close = True
        row.save()


def close_own(user: User, device: Device) -> None:
    """Request to close the user's own terminals on a device."""
    for terminal in Terminal.objects.filter(user=user, device=device).exclude(
        state=State.CLOSED
    ):
        ask_to_close(terminal)


def forget_dead() -> None:
    Terminal.objects.filter(state=State.OPEN, last_seen__lt=timezone.now() - SILENCE).update(
        state=State.CLOSED, closed=timezone.now(), closed_because="The portal stopped."
    )


def why_end(terminal_id: UUID) -> str:
    """Return why an open terminal must end now, or "". Updates its heartbeat."""
    row = Terminal.objects.select_related("user", "device").filter(pk=terminal_id).first()
    if row is None or row.state != State.OPEN:
        return "It was closed."
    if row.is_to_close:
        return "An administrator closed it."
    if row.device.is_deactivated:
        return "The device was taken out of service."
    if row.user is None or not row.user.may_sign_in:
        return "You are no longer signed in."
    if not row.user.has_perm_on("terminal:open", row.device):
        return "You no longer have permission to open terminals on this device."
    Terminal.objects.filter(pk=row.pk).update(last_seen=timezone.now())
    return ""


# --- recording


class Recording:
    """Recording of a terminal, stored in parts (asciicast version 2)."""

    def __init__(self, terminal_id: UUID) -> None:
        self.terminal_id = terminal_id
        self.began = time.monotonic()
        self.number = 0
        self.size = 0
        self.events: list[str] = []
        self.waiting = 0
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def show(self, data: bytes) -> None:
        self._note("o", self.decoder.decode(data))

    def resize(self, columns: int, rows: int) -> None:
        self._note("r", f"{columns}x{rows}")

    def _note(self, kind: str, text: str) -> None:
        if not text or self.size > LARGEST_RECORDING:
            return
        line = json.dumps([round(time.monotonic() - self.began, 3), kind, text])
        self.events.append(line)
        self.size += len(line)
        self.waiting += len(line)

    @property
    def is_due(self) -> bool:
        return self.waiting > WRITE_BYTES

    def write(self) -> None:
        if not self.events:
            return
        data = ("\n".join(self.events) + "\n").encode()
        TerminalPart.objects.create(
            terminal_id=self.terminal_id, number=self.number, events=data
        )
        self.events, self.waiting = [], 0
        self.number += 1


def played(terminal: Terminal) -> str:
    """Return the recording as an asciicast."""
    began = terminal.opened or terminal.created
    head = {
        "version": 2,
        "width": terminal.columns,
        "height": terminal.rows,
        "timestamp": int(began.timestamp()),
        "title": f"{terminal.device} by {terminal.actor}",
    }
    parts = TerminalPart.objects.filter(terminal=terminal).order_by("number")
    return json.dumps(head) + "\n" + "".join(bytes(part.events).decode() for part in parts)


# --- session


def target_of(terminal: Terminal) -> tuple[SshTarget, UUID]:
    """Return the terminal's target as plain values, and the connection's id, before any await."""
    if terminal.connection is None:
        raise Refused("The connection of this device has been removed.")
    return ssh_target(terminal.connection), terminal.connection.pk


class Session:
    """An open terminal, held by one process."""

    def __init__(self, terminal: Terminal, *, idle: float = IDLE_SECONDS) -> None:
        self.terminal = terminal
        self.recording = Recording(terminal.pk)
        self.idle = idle
        self.screen: TerminalSession | None = None
        self.last_typed = time.monotonic()
        # Input typed before the connection was established.
        self.early = bytearray()
        self.why_left = "The portal stopped."

    def typed(self, data: bytes) -> None:
        self.last_typed = time.monotonic()
        if self.screen is not None:
            self.screen.write(data)
        else:
            self.early += data[: MOST_EARLY - len(self.early)]

    def resize(self, columns: int, rows: int) -> None:
        self.recording.resize(columns, rows)
        if self.screen is not None:
            self.screen.resize(columns, rows)

    async def run(self, shown: Callable[[bytes], Awaitable[None]]) -> str:
        """Run the terminal until it ends. Returns and stores the reason."""
        because = ""
        try:
            because = await self._hold(shown)
        except Refused as refusal:
            because = str(refusal)
        finally:
            because = because or self.why_left
            await asyncio.shield(write(self._end)(because))
        return because

    def leave(self) -> None:
        """Record that the browser disconnected."""
        self.why_left = "The window was closed."

    def _end(self, because: str) -> None:
        self.recording.write()
        close(self.terminal, because)

    async def _hold(self, shown: Callable[[bytes], Awaitable[None]]) -> str:
        way, connection = await write(target_of)(self.terminal)
        size = {"columns": self.terminal.columns, "rows": self.terminal.rows}
        async with open_terminal(way.address, way.login, way.host_key, **size) as screen:
            self.screen = screen
            screen.write(bytes(self.early))
            seen = screen.host_key.line if screen.host_key else ""
            await write(record_attempts)({connection: ("", seen)})
            reading = asyncio.ensure_future(self._read(screen, shown))
            watching = asyncio.ensure_future(self._watch())
            try:
                await asyncio.wait({reading, watching}, return_when=asyncio.FIRST_COMPLETED)
                ended = watching if watching.done() else reading
                return str(ended.result())
            finally:
                reading.cancel()
                watching.cancel()

    async def _read(
        self, screen: TerminalSession, shown: Callable[[bytes], Awaitable[None]]
    ) -> str:
        while data := await screen.read():
            self.recording.show(data)
            await shown(data)
            if self.recording.is_due:
                await write(self.recording.write)()
        return "The device ended it."

    async def _watch(self) -> str:
        began = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await write(self.recording.write)()
            if time.monotonic() - self.last_typed > self.idle:
                return "Nothing was typed for too long."
            if time.monotonic() - began > ABSOLUTE_SECONDS:
                return "It was open for an hour."
            why: str = await write(why_end)(self.terminal.pk)
            if why:
                return why
