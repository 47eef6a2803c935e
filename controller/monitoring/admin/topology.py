"""Drawing of the topology: layers from above, in the same order at each visit."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import Organization, Site
from controller.base.admin import admin_url
from controller.devices.admin.badges import HEALTH
from controller.devices.models import Device
from controller.monitoring.engine.topology import ACCESS, Graph, Node
from controller.monitoring.engine.units import bits
from controller.monitoring.rules.topology import MOST_DEVICES, topology

WIDTH, ROW, COLUMN, TOP, ARC = 1180, 110, 130, 50, 64
# Beyond so many nodes, access devices without problems are one node.
MOST_NODES = 60
LONGEST_LABEL = 18
# Layers are shifted, so that a link over two of them runs beside the node between.
SHIFTS = (70, 0, -24, 24, 90)
LAYERS = (_("Overlay networks"), _("Gateways"), _("Switches"), _("Access"), _("Not managed"))
KINDS = {
    "lldp": "LLDP",
    "mesh": _("Mesh"),
    "uplink": _("Uplink"),
    "arp": "ARP",
    "overlay": _("Overlay"),
}
FOLDED = "folded"


def topology_page(request: HttpRequest) -> HttpResponse:
    """Show the topology of the devices that the user may see, of a site or of an organization."""
    user: Any = request.user
    if not user.has_perm_anywhere("monitoring:read"):
        raise PermissionDenied
    organizations = list(Organization.objects.visible_to(user).order_by("name"))
    sites = list(Site.objects.visible_to(user).select_related("organization").order_by("name"))
    organization = chosen(request, "organization", organizations)
    if organization is None and len(organizations) == 1:
        organization = organizations[0]
    site = chosen(request, "site", sites)
    only: dict[str, Any] = {}
    if organization is not None:
        only["organization"] = organization
    if site is not None:
        only["site"] = site
    found, left_out = topology(user, **only)
    context = admin.site.each_context(request) | {
        "title": gettext("Topology"), "organizations": organizations, "sites": sites,
        "organization": organization, "site": site, "left_out": left_out, "most": MOST_DEVICES,
        "drawing": drawing(found), "links": rows(found), "node_count": len(found.nodes),
    }  # fmt: skip
    return render(request, "admin/monitoring/topology.html", context)


def chosen(request: HttpRequest, name: str, known: list[Any]) -> Any:
    """Return the row that the address names; None of one that the user may not see."""
    try:
        wanted = UUID(request.GET.get(name, ""))
    except ValueError:
        return None
    return next((one for one in known if one.pk == wanted), None)


def folded(found: Graph) -> tuple[list[Node], dict[str, str]]:
    """Return the nodes that are drawn, and which node stands for each of those that are not."""
    if len(found.nodes) <= MOST_NODES:
        return found.nodes, {}
    away = [
        one for one in found.nodes if one.layer == ACCESS and one.health in {"ok", "unknown"}
    ]
    if not away:
        return found.nodes, {}
    left = [one for one in found.nodes if one not in away]
    left.append(
        Node(
            FOLDED,
            gettext("%(count)s devices without problems") % {"count": len(away)},
            "ok",
            ACCESS,
        )
    )
    return left, {one.id: FOLDED for one in away}


def drawing(found: Graph) -> dict[str, Any]:
    nodes, instead = folded(found)
    places: dict[str, dict[str, Any]] = {}
    y, layers = TOP, []
    for layer, title in enumerate(LAYERS):
        some = [one for one in nodes if one.layer == layer]
        if not some:
            continue
        layers.append({"title": title, "y": y - 30})
        columns = max(WIDTH // COLUMN, 1)
        for at, node in enumerate(some):
            row, column = divmod(at, columns)
            in_row = min(len(some) - row * columns, columns)
            x = WIDTH * (column + 0.5) / in_row + SHIFTS[layer]
            places[node.id] = placed(node, x, y + row * ROW)
        y += ROW * -(-len(some) // columns)
    lines = {}
    for link in found.links:
        ends = (instead.get(link.source, link.source), instead.get(link.target, link.target))
        if ends[0] == ends[1] or not {*ends} <= places.keys() or frozenset(ends) in lines:
            continue
        one, other = places[ends[0]], places[ends[1]]
        tone = "gone" if link.is_gone else "slow" if link.is_slow else link.kind
        lines[frozenset(ends)] = {
            "path": path_between(one, other), "tone": tone,
            "one_sided": link.is_one_sided, "from": ends[0], "to": ends[1],
        }  # fmt: skip
    return {"width": WIDTH, "height": y, "nodes": list(places.values()),
            # What is drawn last lies on top.
            "lines": sorted(lines.values(), key=lambda one: one["tone"] in {"gone", "slow"}), "layers": layers}  # fmt: skip


def path_between(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return a line as SVG draws it: within a row an arc, as others may stand in between."""
    start, end = f"M{one['x']} {one['y']}", f"{other['x']} {other['y']}"
    if one["y"] != other["y"]:
        return f"{start}L{end}"
    return f"{start}Q{(one['x'] + other['x']) // 2} {one['y'] - ARC} {end}"


def placed(node: Node, x: float, y: float) -> dict[str, Any]:
    label = node.label
    is_device = node.is_managed and node.id != FOLDED
    word = HEALTH[node.health][0] if node.health in HEALTH else gettext("not managed")
    return {
        "id": node.id, "x": round(x), "y": round(y), "text_y": round(y + 32), "name": label, "word": word,
        "label": label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…",
        "health": node.health or "none", "is_managed": node.is_managed,
        "link": admin_url(Device, "change", node.id) if is_device else "",
    }  # fmt: skip


def rows(found: Graph) -> list[dict[str, Any]]:
    """Return all links for the table, the worst first."""
    nodes = {one.id: one for one in found.nodes}
    return [
        {
            "ends": [
                {
                    "name": nodes[end].label, "port": port,
                    "link": admin_url(Device, "change", end) if nodes[end].is_managed else "",
                }
                for end, port in (
                    (link.source, link.source_port), (link.target, link.target_port),
                )
            ],
            "kind": KINDS[link.kind],
            "speed": bits(link.speed),
            "most": bits(link.most) if link.is_slow else "",
            "state": gettext("Gone") if link.is_gone else gettext("Slow") if link.is_slow else gettext("Up"),
            "tone": "bad" if link.is_gone else "warn" if link.is_slow else "good",
            "icon": "cancel" if link.is_gone else "warning" if link.is_slow else "check_circle",
            "one_sided": link.is_one_sided and link.kind == "lldp",
        }
        for link in found.links
    ]  # fmt: skip
