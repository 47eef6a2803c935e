"""Live view: parts of a gateway, read once for all viewers and cached for seconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import NotFound, NotPermitted, Refused
from controller.base.single_flight import single_flight
from networks.gateways.drivers import LIVE
from networks.gateways.engine.live import MOST_PINGS, PARTS, Part, is_host
from networks.gateways.models import Gateway
from networks.gateways.rules.visits import visit

TOOLS = "gateway:update"
# Seconds between two pings of gateways that are told how long to ping, and not how often.
PING_PAUSE = 1.0


@dataclass(frozen=True)
class Told:
    """Rows of a part, with the time of the read."""

    part: Part
    at: datetime
    rows: list[dict[str, Any]]


def parts_of(gateway: Gateway) -> list[Part]:
    """Return the parts that gateways of this vendor tell, without its tools."""
    return [PARTS[name] for name in LIVE[gateway.vendor] if not PARTS[name].is_tool]


def tools_of(gateway: Gateway) -> list[Part]:
    return [PARTS[name] for name in LIVE[gateway.vendor] if PARTS[name].is_tool]


def read_part(gateway: Gateway, name: str) -> Told:
    """Return a part, read now or a few seconds ago. Raises NotFound if there is no such part."""
    part = next((one for one in parts_of(gateway) if one.name == name), None)
    if part is None:
        raise NotFound(
            gettext("Gateways of %(vendor)s have no live part %(name)s.")
            % {"vendor": gateway.vendor, "name": repr(name[:32])}
        )
    # Whoever changes address or key must not see what another gateway told.
    key = f"gateway-live:{gateway.pk}:{gateway.modified.timestamp()}:{name}"
    known: Told | None = cache.get(key)
    if known is not None:
        return known

    def read() -> Told:
        told = Told(part, timezone.now(), _asked(gateway, name, {}))
        cache.set(key, told, settings.MUSTER_GATEWAY_LIVE_SECONDS)
        return told

    return single_flight(key, read)


def run_tool(gateway: Gateway, name: str, *, host: str, count: int = 3) -> Told:
    """Ping or trace a host from the gateway. Raises Refused for an invalid host."""
    part = next((one for one in tools_of(gateway) if one.name == name), None)
    if part is None:
        raise Refused(
            gettext("Gateways of %(vendor)s have no %(name)s by API.")
            % {"vendor": gateway.get_vendor_display(), "name": name[:32]}
        )
    if not is_host(host):
        raise Refused({"host": [gettext("This is no address or host name.")]})
    if not 1 <= count <= MOST_PINGS:
        raise Refused(
            {
                "count": [
                    gettext("A whole number from 1 to %(most_pings)s.")
                    % {"most_pings": MOST_PINGS}
                ]
            }
        )
    asked = {"host": host, "count": count, "pause": PING_PAUSE}
    key = ("gateway-tool", gateway.pk, name, host, count)
    return single_flight(key, lambda: Told(part, timezone.now(), _asked(gateway, name, asked)))


def may_run(user: User, gateway: Gateway) -> None:
    """Raise NotPermitted unless the user may have the gateway send something."""
    if not user.has_perm_on(TOOLS, gateway):
        raise NotPermitted(
            gettext("Permission denied: requires '%(tools)s'") % {"tools": TOOLS}
        )


def _asked(gateway: Gateway, name: str, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    with visit(gateway) as device:
        return device.live(name, asked)
