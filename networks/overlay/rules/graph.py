"""QR codes and the graph of a mesh."""

import io
from typing import Any

import segno

from networks.overlay.models import Network, Pair
from networks.overlay.rules import presence
from networks.overlay.rules.plans import relay

# Above this number of members the drawing is unreadable.
MOST_DRAWN = 150


def qr_code(text: str) -> str:
    """Return a QR code as inline SVG."""
    out = io.BytesIO()
    segno.make(text, error="m").save(
        out, kind="svg", scale=4, border=2, xmldecl=False, svgns=True, dark="#111827",
        light="#ffffff",
    )  # fmt: skip
    return out.getvalue().decode()


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
