"""Proxy of Home Assistant's UI and WebSocket. Disabled by default."""

import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.accounts.rules.audit import record_audit
from controller.base.errors import NotAuthenticated, NotFound, NotPermitted, Refused
from controller.base.outbound.transactions import blocking
from controller.base.secrets import digest
from supervisor_proxy.drivers.contract import Order, Target
from supervisor_proxy.engine import hassio
from supervisor_proxy.engine.answers import read
from supervisor_proxy.models import IngressSession, Supervisor
from supervisor_proxy.rules.call_requests import match_route
from supervisor_proxy.rules.home_assistant_polling import data_of, quietly
from supervisor_proxy.rules.supervisors import target_of
from supervisor_proxy.rules.transports import driver_for

OFF = "This portal does not pass on Home Assistant itself; its settings say so."
BY_AGENT = "The add-on has not the right to this. Reach the device through Core."
PERMISSION = "supervisor:remote"
TICKET_LIFE = timedelta(minutes=1)
LIFE = timedelta(minutes=30)
Transport = Supervisor.Transport
SOCKETS = {Transport.HTTP: "/core/websocket", Transport.CORE: "/api/websocket"}
PREFIXES = {Transport.HTTP: "/ingress/", Transport.CORE: "/api/hassio_ingress/"}
ENTRY = re.compile(r"/api/hassio_ingress/([A-Za-z0-9_-]{16,128})/?")
# Commands of Core's WebSocket that are blocked: those that manage rights, and those of the
# supervisor, which has its own API here.
# Scripts name the services that they call in templates, which only Core can evaluate.
SHUT = re.compile(
    r"(supervisor|hassio|auth|config/auth|config/auth_provider|backup|cloud|execute_script)(/.*)?"
)
SHUT_DOMAINS = frozenset({"hassio", "backup"})
MOST_DEPTH = 20


def is_shut(message: Mapping[str, Any]) -> bool:
    """Return whether a message to Core's WebSocket is blocked.

    Core takes names in any case, and messages hold others: every part is looked at.
    """
    return _is_shut(message, 0)


def _is_shut(part: Any, depth: int) -> bool:
    if depth > MOST_DEPTH:
        return True
    if isinstance(part, list | tuple):
        return any(_is_shut(one, depth + 1) for one in part)
    if not isinstance(part, Mapping):
        return False
    if SHUT.fullmatch(_name(part.get("type"))) is not None:
        return True
    named = (_name(part.get(name)) for name in ("domain", "service", "action"))
    if any(one.partition(".")[0] in SHUT_DOMAINS for one in named):
        return True
    return any(_is_shut(one, depth + 1) for one in part.values())


def _name(value: Any) -> str:
    return str(value if value is not None else "").strip().casefold()


def is_inside(path: str, entry: str) -> bool:
    """Return whether a path, however often it is decoded, stays below the add-on's page."""
    for _ in range(5):
        if ".." in path or "\\" in path or not path.startswith(entry.rstrip("/")):
            return False
        decoded = unquote(path)
        if decoded == path:
            return True
        path = decoded
    return False


def may_remotely(user: User, supervisor: Supervisor) -> bool:
    return (
        bool(user.has_perm_on(PERMISSION, supervisor)) and not supervisor.device.is_deactivated
    )


def socket_of(user: User, device_id: UUID) -> tuple[Supervisor, Target, str]:
    """Return supervisor, target and path of the WebSocket.

    Raises NotPermitted or NotFound.
    """
    if not settings.MUSTER_HOME_REMOTE:
        raise NotPermitted(OFF, code="off")
    row = (
        Supervisor.objects.visible_to(user, "supervisor:read")
        .select_related("device__organization")
        .filter(device=device_id, flavor=Supervisor.Flavor.HASSIO)
        .first()
    )
    if row is None:
        raise NotFound(
            gettext("There is no such device, or none with a Home Assistant supervisor.")
        )
    found = _reachable(user, row)
    record_audit("home.socket_opened", row)
    return row, found, SOCKETS[Transport(row.transport)]


def _reachable(user: User, row: Supervisor) -> Target:
    if not may_remotely(user, row):
        raise NotPermitted(
            gettext("It needs %(permission)s.") % {"permission": PERMISSION}, code="forbidden"
        )
    if row.transport == Transport.AGENT:
        raise Refused(BY_AGENT, code="unsupported_by_device")
    return target_of(row)


# --- add-on pages


def begin(user: User, row: Supervisor, *, addon: str) -> tuple[IngressSession, str]:
    """Start a session on an add-on's page. Returns it with its one-time ticket."""
    if not settings.MUSTER_INGRESS_DOMAIN:
        raise NotPermitted(OFF, code="off")
    target = _reachable(user, row)
    info: dict[str, Any] = data_of(
        blocking(quietly)(
            row, target, match_route(row.flavor, method="GET", path=f"/addons/{addon}/info")
        )
    )
    entry = ENTRY.fullmatch(str(info.get("ingress_entry") or ""))
    if entry is None:
        raise Refused({"addon": [gettext("This add-on has no page.")]})
    ticket = secrets.token_urlsafe(32)
    IngressSession.objects.filter(expires__lt=timezone.now()).delete()
    session = IngressSession.objects.create(
        supervisor=row, user=user, addon=addon, label=secrets.token_hex(16),
        ticket_digest=digest(ticket), expires=timezone.now() + TICKET_LIFE,
        entry=f"{PREFIXES[Transport(row.transport)]}{entry[1]}/", session=_session(row, target),
    )  # fmt: skip
    record_audit("home.page_opened", row, detail=addon)
    return session, ticket


def _session(row: Supervisor, target: Target) -> str:
    order = Order("POST", "/ingress/session", data={}, seconds=hassio.READ)
    answer = read(blocking(driver_for(row).call)(target, order))
    found = str(data_of(answer).get("session", "")) if answer.is_good else ""
    if not re.fullmatch(r"[0-9a-f]{32,128}", found):
        raise Refused(gettext("The device lets the portal's key open no pages of add-ons."))
    return found


@transaction.atomic
def enter(label: str, ticket: str) -> str:
    """Exchange the one-time ticket for a cookie. Raises NotAuthenticated."""
    row: IngressSession | None = (
        IngressSession.objects.select_for_update()
        .filter(label=label, ticket_digest=digest(ticket), cookie_digest="")
        .first()
    )
    if row is None or row.expires <= timezone.now():
        raise NotAuthenticated(
            gettext("This link was used, or is too old. Open the page again.")
        )
    cookie = secrets.token_urlsafe(32)
    row.cookie_digest, row.expires = digest(cookie), timezone.now() + LIFE
    row.save()
    return cookie


def entered(label: str, cookie: str) -> IngressSession:
    """Return the session of a cookie. Checks the user's permission on every request."""
    row: IngressSession | None = (
        IngressSession.objects.select_related("user", "supervisor__device__organization")
        .filter(label=label, cookie_digest=digest(cookie), expires__gt=timezone.now())
        .first()
        if cookie
        else None
    )
    if row is None or not row.user.may_sign_in or not may_remotely(row.user, row.supervisor):
        raise NotAuthenticated(gettext("Open the page again from the portal."))
    return row
