"""Presence of members, read from the relay for all of them at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.utils import timezone

from controller.base.errors import Refused
from controller.base.redis_lock import turn
from controller.connections.rules import usable_connections
from networks.overlay.engine import relay_status
from networks.overlay.engine.relay_status import Seen
from networks.overlay.models import Member, Network, Node, Pair
from networks.overlay.rules import ssh
from networks.overlay.rules.members import SILENT_ROUNDS, end_expired
from networks.overlay.rules.plans import relays, tell_changed

# Includes the SSH login on the relay, two seconds of pings, and the writes.
REFRESH_SECONDS = 3.4
VISIT_SECONDS = 2.6
# A result younger than this is reused.
FRESH = timedelta(seconds=2)
# A presence older than this is reported as unknown.
VALID = timedelta(minutes=5)
ADDRESSES_AT_ONCE = 1000


@dataclass(frozen=True)
class RelayStatus:
    """Result of one visit to a relay."""

    seen: dict[str, Seen]
    relay: Node | None = None
    """The relay that answered."""

    @property
    def was_there(self) -> bool:
        return self.relay is not None


def refresh(network: Network) -> None:
    """Refresh the presence of all members now. Concurrent callers share one result."""
    with turn(f"overlay:{network.pk}", seconds=REFRESH_SECONDS):
        network.refresh_from_db(fields=["refreshed"])
        if network.refreshed and timezone.now() - network.refreshed < FRESH:
            return
        look_at(Node.objects.filter(memberships__network=network))
        network.refreshed = timezone.now()
        Network.objects.filter(pk=network.pk).update(refreshed=network.refreshed)


def look_at(rows: Iterable[Node]) -> None:
    """Query the relay about these nodes and store the results in one statement."""
    nodes = [one for one in rows if not one.is_relay]
    found = _visit(nodes)
    now, before = timezone.now(), {one.pk: one.online for one in nodes}
    for node in nodes:
        _judge(node, found, now)
    Node.objects.bulk_update(
        nodes,
        [
            "online",
            "evidence",
            "checked_at",
            "latency",
            "received",
            "last_handshake",
            "observed",
        ],
        batch_size=500,
    )
    if found.relay is not None:
        Node.objects.filter(pk=found.relay.pk).update(
            online=True, evidence="probe", checked_at=now
        )
    changed = [one.pk for one in nodes if one.online != before[one.pk]]
    if changed:
        tell_changed(Member.objects.filter(node__in=changed).values_list("network", flat=True))


def _visit(nodes: list[Node]) -> RelayStatus:
    """Ask the relays, one after the other, until one answers."""
    hubs = {one.device_id: one for one in relays() if one.device_id} if nodes else {}
    connections = usable_connections(hubs)
    keys = {str(one.address): one.public_key for one in nodes}
    for device, hub in hubs.items():
        if device not in connections:
            continue
        try:
            said = ssh.ask(
                connections[device], "status", *keys, seconds=VISIT_SECONDS, partly=True
            )
        except Refused:
            continue
        return RelayStatus(relay_status.by_address(keys, *relay_status.read(said)), hub)
    return RelayStatus({})


def _judge(node: Node, look: RelayStatus, now: datetime) -> None:
    seen = look.seen.get(str(node.address), Seen())
    age = (now - node.last_seen).total_seconds() if node.last_seen else None
    said = relay_status.verdict(
        asked=look.was_there,
        answered=seen.latency is not None,
        heartbeat_age=age,
        heartbeat_patience=settings.MUSTER_JOIN_POLL_SECONDS * SILENT_ROUNDS,
        has_grown=node.received is not None and seen.received > node.received,
    )
    node.online, node.evidence, node.checked_at = said.online, said.evidence, now
    if not look.was_there:
        return
    node.latency, node.received = seen.latency, seen.received
    node.observed = seen.endpoint or node.observed
    if seen.handshake:
        node.last_handshake = datetime.fromtimestamp(seen.handshake, UTC)


def online(node: Node) -> bool | None:
    """Return the last known state, or None if older than VALID."""
    if node.checked_at is None or timezone.now() - node.checked_at > VALID:
        return None
    return node.online


def via(node: Node) -> str | None:
    """Return "direct" or "relay", the member's traffic path; None if it is not online."""
    if online(node) is not True:
        return None
    if node.is_relay:
        return "direct"
    direct = Pair.objects.of_nodes([node.pk]).filter(state=Pair.State.DIRECT)
    return "direct" if direct.exists() else "relay"


def refresh_all() -> int:
    """Expire members, then refresh presence of all of them.

    Returns the number of nodes.
    """
    end_expired()
    ids = list(Member.objects.active().values_list("node", flat=True).distinct())
    for at in range(0, len(ids), ADDRESSES_AT_ONCE):
        look_at(Node.objects.filter(pk__in=ids[at : at + ADDRESSES_AT_ONCE]))
    return len(ids)
