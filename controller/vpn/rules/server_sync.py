"""Synchronization of servers: call webhooks, reconcile ZeroTier controllers.

The last synchronized revision is stored on the row, so lost messages only cause delay.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.database import release_connections
from controller.base.errors import NotFound, Refused, Unreachable
from controller.base.leases import for_each
from controller.vpn.drivers import webhook
from controller.vpn.drivers.contract import Denied, Endpoint, Member
from controller.vpn.drivers.zerotier import Controller
from controller.vpn.engine import zerotier
from controller.vpn.models import Vpn, VpnClient
from controller.vpn.rules.rendering import rendered

log = logging.getLogger(__name__)

PAUSE = timedelta(minutes=1)
TROUBLE_LENGTH = 255
HTTP_PORT_OF_ZEROTIER = 9993


def due_servers() -> QuerySet[Vpn]:
    """Return the servers with pending changes, unless they failed a moment ago."""
    reachable = Q(backend=Vpn.Backend.ZEROTIER) | Q(webhook_endpoint__gt="")
    return Vpn.objects.filter(reachable, told_revision__lt=F("revision")).filter(
        Q(tell_after=None) | Q(tell_after__lte=timezone.now())
    )


def sync_servers() -> int:
    """Synchronize all servers with pending changes. Returns the number of successes."""
    told: list[bool] = []
    rows = due_servers().select_related("ca", "cert", "ip", "subnet")
    for_each(rows, lambda vpn: told.append(_sync(vpn)), name="vpn.servers")
    return sum(told)


def _sync(vpn: Vpn) -> bool:
    row = Vpn.objects.filter(pk=vpn.pk)
    try:
        if vpn.engine.has_controller:
            _reconcile_members(vpn)
        elif vpn.auth_token:
            # Rendered now, because the server requests it in a moment.
            rendered(vpn)
            webhook.tell(Endpoint(vpn.webhook_endpoint or "", vpn.auth_token))
    except Refused as refusal:
        row.update(trouble=str(refusal)[:TROUBLE_LENGTH], tell_after=timezone.now() + PAUSE)
        return False
    row.update(told_revision=vpn.revision, trouble="", tell_after=None)
    return True


def controller_of(vpn: Vpn) -> Controller:
    host = f"[{vpn.host}]" if vpn.host.count(":") > 1 and "[" not in vpn.host else vpn.host
    if not re.search(r":[0-9]+$", host.rpartition("]")[2]):
        host = f"{host}:{HTTP_PORT_OF_ZEROTIER}"
    return Controller(Endpoint(f"http://{host}", vpn.auth_token or ""))


@contextmanager
def controller_errors(vpn: Vpn) -> Iterator[Controller]:
    """Open the controller; convert its errors to Refused under the field concerned."""
    try:
        with controller_of(vpn) as controller:
            yield controller
    except Denied as error:
        raise Refused({"auth_token": [str(error)]}) from error
    except (Unreachable, NotFound) as error:
        raise Refused({"host": [str(error)]}) from error


def create_remote_network(vpn: Vpn) -> None:
    """Create the network of a new server, or check that its controller is reachable."""
    if not vpn.auth_token:
        raise Refused(
            {"auth_token": [gettext("A ZeroTier controller is asked with its token.")]}
        )
    with controller_errors(vpn) as controller:
        if vpn.network_id:
            controller.node_id()
            return
        made = controller.create_network(zerotier.network(vpn.config, vpn.facts))
    vpn.node_id, vpn.network_id = made.node_id, made.network_id


def delete_remote_network(vpn: Vpn) -> None:
    """Delete the network from its controller, if it still exists there."""
    if vpn.engine.has_controller and vpn.network_id:
        try:
            with controller_errors(vpn) as controller:
                controller.delete_network(vpn.network_id)
        except Refused as refusal:
            if not isinstance(refusal.__cause__, NotFound):
                raise


def discard_remote_network(vpn: Vpn) -> None:
    """Delete the network of a deleted server. A controller that does not answer keeps it."""
    release_connections()
    try:
        delete_remote_network(vpn)
    except Refused as refusal:
        log.warning("ZeroTier network %s stays on %s: %s", vpn.network_id, vpn.host, refusal)


def _reconcile_members(vpn: Vpn) -> None:
    """Make the network and its members match the database."""
    clients = VpnClient.objects.filter(vpn=vpn, is_ready=True, ip__isnull=False)
    wanted: dict[str, VpnClient] = {}
    for client in clients.select_related("ip"):
        wanted[client.secret.partition(":")[0]] = client
    with controller_of(vpn) as controller:
        controller.update_network(vpn.network_id, zerotier.network(vpn.config, vpn.facts))
        for member in controller.members(vpn.network_id) - wanted.keys():
            controller.remove(vpn.network_id, member)
        for member, client in wanted.items():
            if client.is_told or client.ip is None:
                continue
            controller.admit(vpn.network_id, Member(member, str(client.ip)))
            VpnClient.objects.filter(pk=client.pk).update(is_told=True)
