"""Reports of agents about direct ways: of members about themselves, of relays about members."""

from dataclasses import asdict
from datetime import timedelta
from ipaddress import IPv6Network, ip_address
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from networks.overlay.engine.ways_lines import PairReport, Report
from networks.overlay.models import Node, Pair, Sighting, WayMeasures
from networks.overlay.rules import direct_paths, subnets

# A report that says nothing new is stored this often.
RENEWED = timedelta(seconds=20)
# How often a member's partners try it again because it says that it slept.
AWAKE_SECONDS = 10
AT_ONCE = 500
MOST_RELAYS = 100


def receive(node: Node, report: Report) -> None:
    """Store a report, and update its pairs."""
    if not node.is_relay:
        _note_offers(node, report)
        _note_measures(node, report, _note_pairs(node, report.pairs))
        return
    with transaction.atomic():
        _sight(node, report.sightings)
        direct_paths.note_talks(report.talks)
    _keep_alive(node, report)


def _keep_alive(node: Node, report: Report) -> None:
    now = timezone.now()
    lacks = node.offers.get("lacks", []) if report.lacks is None else list(report.lacks)
    is_new = lacks != node.offers.get("lacks", [])
    if is_new or node.reported_at is None or now - node.reported_at > RENEWED:
        offers = node.offers | {"lacks": lacks} if is_new else node.offers
        Node.objects.filter(pk=node.pk).update(offers=offers, reported_at=now)


def _note_offers(node: Node, report: Report) -> None:
    now = timezone.now()
    offers = node.offers | _offered(report, now.timestamp())
    if report.is_awake and now.timestamp() - offers.get("awake", 0) > AWAKE_SECONDS:
        offers["awake"] = int(now.timestamp())
    if report.home is not None and report.home[1] != node.relay_count:
        count = min(report.home[1], MOST_RELAYS)
        Node.objects.filter(pk=node.pk).update(relay_count=count)
    if offers.get("announced", []) != node.offers.get("announced", []):
        subnets.follow(node, offers.get("announced", []))
    is_back = direct_paths.is_silent(node, now) or offers.get("awake") != node.offers.get(
        "awake"
    )
    is_new = offers != node.offers
    if is_new or node.reported_at is None or now - node.reported_at > RENEWED:
        Node.objects.filter(pk=node.pk).update(offers=offers, reported_at=now)
    if is_back:
        direct_paths.try_again([node.pk])
    elif is_new:
        direct_paths.reconsider([node.pk])


def _offered(report: Report, now: float) -> dict[str, Any]:
    """Return what a report says about its member; what it leaves out stays as it was."""
    offers: dict[str, Any] = {}
    if report.addresses is not None:
        overlay = IPv6Network(settings.MUSTER_OVERLAY_PREFIX)
        offers["addresses"] = [
            one for one in report.addresses if ip_address(one) not in overlay
        ]
    for name in ("lans", "shadowed", "announced"):
        if (prefixes := getattr(report, name)) is not None:
            offers[name] = list(prefixes)
    if report.mapped is not None:
        port, seconds = report.mapped
        offers |= {"mapped_port": port, "mapped_until": int(now) + seconds}
    if report.unable is not None:
        offers["unable"] = report.unable
    if report.home is not None:
        offers["home"] = report.home[0]
    return offers


def _note_pairs(node: Node, reports: list[PairReport]) -> list[int]:
    """Store new evidence of one end. Reports about other members' pairs are ignored.

    Returns the ids of the end's own pairs.
    """
    by_id = {one.pair: one for one in reports}
    rows = Pair.objects.of_nodes([node.pk]).filter(pk__in=by_id)
    now = timezone.now()
    own, news, used = [], [], []
    for row in rows.only("low", "high", "used", "low_evidence", "high_evidence"):
        report = by_id[row.pk]
        own.append(row.pk)
        if _is_news(getattr(row, _side(row, node)), report):
            news.append(row.pk)
        if report.is_used and now - row.used > RENEWED:
            used.append(row.pk)
    if used:
        Pair.objects.filter(pk__in=used).update(used=now)
    if news:
        _store_evidence(node, news, by_id)
    return own


def _note_measures(node: Node, report: Report, own: list[int]) -> None:
    """Store what a member measures on its own pairs, all in one row."""
    rtts = {one.pair: one.evidence.rtt for one in report.pairs}
    pairs = {
        str(pk): asdict(one) | {"rtt": rtts.get(pk)}
        for pk in own
        if (one := report.measured.get(pk)) is not None
    }
    if pairs:
        WayMeasures.objects.update_or_create(
            node=node, defaults={"at": timezone.now(), "pairs": pairs}
        )


def _side(row: Pair, node: Node) -> str:
    return "low_evidence" if row.low_id == node.pk else "high_evidence"


def _is_news(known: dict[str, object], report: PairReport) -> bool:
    said = report.evidence
    before = known.get("said"), known.get("round"), known.get("endpoint")
    return before != (said.said, said.round, said.endpoint)


@transaction.atomic
def _store_evidence(node: Node, ids: list[int], reports: dict[int, PairReport]) -> None:
    rows = list(Pair.objects.filter(pk__in=ids).select_for_update().order_by("pk"))
    for row in rows:
        side = _side(row, node)
        setattr(row, side, asdict(reports[row.pk].evidence))
        row.save(update_fields=[side])
    direct_paths.advance([row.pk for row in rows])


def _sight(relay: Node, seen: dict[str, str]) -> None:
    """Store the endpoints that a relay sees, and update the pairs of members that moved."""
    nodes = dict(
        Node.objects.filter(public_key__in=seen, is_relay=False).values_list("public_key", "pk")
    )
    known = dict(
        Sighting.objects.filter(relay=relay, node__in=nodes.values()).values_list(
            "node", "endpoint"
        )
    )
    now = timezone.now()
    rows = [
        Sighting(node_id=nodes[key], relay=relay, endpoint=endpoint, at=now)
        for key, endpoint in seen.items()
        if key in nodes
    ]
    Sighting.objects.bulk_create(
        rows, batch_size=AT_ONCE, update_conflicts=True,
        unique_fields=["node", "relay"], update_fields=["endpoint", "at"],
    )  # fmt: skip
    moved = {row.node_id for row in rows if known.get(row.node_id) != row.endpoint}
    waiting = Pair.objects.filter(reason__startswith="udp").filter(
        Q(low__in=nodes.values()) | Q(high__in=nodes.values())
    )
    ids = set(Pair.objects.of_nodes(moved).values_list("pk", flat=True))
    direct_paths.advance(ids | set(waiting.values_list("pk", flat=True)))
