"""Terminals: permissions, tickets, limits and closing."""

import secrets
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Conflict, NotAuthenticated, NotPermitted, Refused
from controller.base.request_context import current_context
from controller.base.secrets import digest
from controller.connections.models import DeviceConnection, Terminal
from controller.connections.rules import usable_connections
from controller.devices.models import Device

State = Terminal.State
TICKET_LIFE = timedelta(seconds=60)
MOST_OF_A_USER = 5
MOST_OF_A_DEVICE = 3
LONGEST_REASON = 200
# Terminals without a heartbeat for this long belong to a dead process.
SILENCE = timedelta(seconds=60)


def connection_for(device: Device) -> DeviceConnection:
    """Return the device's SSH connection. The caller cannot choose an address."""
    if device.is_deactivated:
        raise NotPermitted(gettext("The device is deactivated."), code="out_of_service")
    connection = usable_connections([device.pk]).get(device.pk)
    if connection is None:
        raise Refused(
            gettext("The device needs a management address and an enabled connection.")
        )
    return connection


@transaction.atomic
def create_ticket(user: User, device: Device, *, reason: str) -> tuple[Terminal, str]:
    """Create a terminal and its one-time ticket, valid for a minute."""
    may_open(user, device)
    connection = connection_for(device)
    reason = reason.strip()
    if not 1 <= len(reason) <= LONGEST_REASON:
        raise Refused(
            {
                "reason": [
                    gettext("Say in 1 to %(longest_reason)s characters what it is for.")
                    % {"longest_reason": LONGEST_REASON}
                ]
            }
        )
    forget_dead()
    check_limits(user, device)
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
        raise NotPermitted(
            gettext("You do not have permission to open terminals on this device.")
        )


def check_limits(user: User, device: Device) -> None:
    """Raise Conflict if the user or the device has as many open terminals as permitted."""
    is_open = Terminal.objects.filter(state=State.OPEN)
    if is_open.filter(user=user).count() >= MOST_OF_A_USER:
        raise Conflict(
            gettext("You have %(most_of_a_user)s terminals open. Close one first.")
            % {"most_of_a_user": MOST_OF_A_USER}
        )
    if is_open.filter(device=device).count() >= MOST_OF_A_DEVICE:
        raise Conflict(
            gettext("%(most_of_a_device)s terminals are open on this device. Close one first.")
            % {"most_of_a_device": MOST_OF_A_DEVICE}
        )


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
        raise NotAuthenticated(
            gettext("The ticket is used, expired or somebody else's. Open it again.")
        )
    may_open(user, found.device)
    # Two tickets of one device are redeemed one after the other.
    Device.objects.select_for_update(of=("self",)).get(pk=found.device_id)
    check_limits(user, found.device)
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
        return "The device was deactivated."
    if row.user is None or not row.user.may_sign_in:
        return "You are no longer signed in."
    if not row.user.has_perm_on("terminal:open", row.device):
        return "You no longer have permission to open terminals on this device."
    Terminal.objects.filter(pk=row.pk).update(last_seen=timezone.now())
    return ""
