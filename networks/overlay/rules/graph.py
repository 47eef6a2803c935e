"""Graph of a network: relay, members, presence and direct paths."""

from typing import Any

from networks.overlay.models import Network, Pair
from networks.overlay.rules import presence
from networks.overlay.rules.plans import relay

# Above this number of members the drawing is unreadable.
MOST_DRAWN = 150


def picture(network: Network) -> dict[str, Any]:
    """Return the mesh for drawing: relay, members with presence, direct paths."""
    hub = relay()
    rows = list(
        network.members.active()
        .select_related("node")
        .defer("node__private_key")
        .order_by("node__name")[:MOST_DRAWN]
    )
    ids = [one.node_id for one in rows]
    direct = Pair.objects.filter(low__in=ids, high__in=ids, state=Pair.State.DIRECT)
    return {
        "relay": {
            "name": hub.name if hub.device_id is None else str(hub.device),
            "online": presence.online(hub),
        },
        "total": network.members.active().count(),
        "members": [
            {
                "id": one.node_id,
                "name": one.node.name,
                "address": str(one.node.address),
                "online": presence.online(one.node),
                "latency": one.node.latency,
                "is_master": one.pk == network.master_id,
            }
            for one in rows
        ],
        "direct": [[pair.low_id, pair.high_id] for pair in direct],
    }
