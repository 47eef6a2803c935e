"""Membership of nodes in networks: add, approve, update, remove, expire."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Conflict, NotFound, NotPermitted, Refused, Unreachable
from controller.base.secrets import digest
from controller.devices.models import Device
from networks.overlay.engine.overlay_names import free_name, is_hostname, parse_link
from networks.overlay.engine.policies import SELECTOR
from networks.overlay.engine.roles import Ownership
from networks.overlay.models import Member, Network, Node
from networks.overlay.rules import direct_paths, ranges, ssh
from networks.overlay.rules.networks import check, check_scope
from networks.overlay.rules.plans import mark_outdated

INVALID_HOSTNAME, CONNECT = "invalid-hostname", "connect"
NO_DEVICE = "There is no such device, or it is not yours."
# An agent counts as offline after this many poll intervals.
SILENT_ROUNDS = 2.5


class BadHostname(Refused):
    def __init__(self, name: object) -> None:
        super().__init__(
            {"name": [f"{name!r} is no host name, or somebody in the network has it."]},
            code=INVALID_HOSTNAME,
        )


def add_by_link(
    network: Network, *, by: User, link: str, name: object, is_fully_managed: bool = False
) -> Member:
    """Add the node of a claim link, which becomes the caller's. Raises Unreachable."""
    check(by, network, "add_member")
    node = _node_of_link(link)
    if node.owner_id not in {None, by.pk}:
        raise NotFound(NO_DEVICE)
    _check_name(network, node, name)
    if not reachable(node):
        raise Unreachable(gettext("The device does not answer: is it on?"), code=CONNECT)
    with transaction.atomic():
        node = Node.objects.select_for_update().get(pk=node.pk)
        if node.owner_id not in {None, by.pk}:
            raise NotFound(NO_DEVICE)
        node.owner, node.name, node.is_fully_managed = by, str(name), is_fully_managed
        node.save(update_fields=["owner", "name", "is_fully_managed"])
        mark_outdated(networks_of(node))
        return _add(network, node, by=by)


def _node_of_link(link: str) -> Node:
    try:
        host, address, secret = parse_link(link)
    except ValueError as error:
        raise Refused({"link": [str(error)]}) from error
    # The link is never fetched: it only identifies a node that has registered here.
    ours = urlsplit(settings.MUSTER_PUBLIC_URL).hostname
    found: Node | None = Node.objects.filter(address=address).first()
    good = found is not None and constant_time_compare(found.link_digest, digest(secret))
    if found is None or not good or (ours and host != ours):
        raise NotFound(NO_DEVICE)
    return found


def add_by_id(network: Network, *, by: User, address: str) -> Member:
    """Add a node the caller already owns, by its overlay address. Raises Unreachable."""
    check(by, network, "add_member")
    node = Node.objects.filter(address=address, owner=by).first()
    if node is None:
        raise NotFound(NO_DEVICE)
    _check_name(network, node, node.name)
    if not reachable(node):
        raise Unreachable(gettext("The device does not answer: is it on?"), code=CONNECT)
    return _add(network, node, by=by)


def add_device(
    network: Network,
    *,
    by: User,
    device: Device,
    name: str = "",
    is_fully_managed: bool = False,
) -> Member:
    """Add a device of the inventory. It generates its own key if reachable by SSH."""
    check(by, network, "add_member")
    check_scope(by, "device:update")
    if not by.has_perm_on("device:update", device):
        raise NotPermitted(
            gettext("Your role in the device's organization does not permit this.")
        )
    if device.is_deactivated:
        raise Conflict(gettext("The device is deactivated."))
    node = Node.objects.filter(device=device).first()
    if node is None:
        taken = network.members.values_list("node__name", flat=True)
        wanted = name or free_name(device.name, set(taken))
        if not is_hostname(wanted) or wanted in taken:
            raise BadHostname(wanted)
        node = ssh.enrolled(device, owner=by, name=wanted)
        node.is_fully_managed = is_fully_managed
    elif name and name != node.name:
        raise Refused(
            {
                "name": [
                    gettext("The device is in the overlay already, as %(node)s.")
                    % {"node": node.name}
                ]
            }
        )
    with transaction.atomic():
        node.save()
        _check_name(network, node, node.name)
        return _add(network, node, by=by)


def _check_name(network: Network, node: Node, name: object) -> None:
    others = network.members.exclude(node=node)
    if not is_hostname(name) or others.filter(node__name=name).exists():
        raise BadHostname(name)
    elsewhere = Member.objects.filter(network__in=networks_of(node), node__name=name)
    if elsewhere.exclude(node=node).exists():
        raise BadHostname(name)


def networks_of(node: Node) -> list[int]:
    return list(node.memberships.values_list("network", flat=True))


@transaction.atomic
def _add(network: Network, node: Node, *, by: User | None, pending: bool = False) -> Member:
    """Add the node to the network, idempotently; re-deliver its configuration."""
    state = Member.State.PENDING if pending else Member.State.ACTIVE
    row, made = Member.objects.get_or_create(
        network=network, node=node, defaults={"joined_by": by, "state": state}
    )
    if not made and not pending and row.state == Member.State.PENDING:
        row.state = Member.State.ACTIVE
        row.save(update_fields=["state"])
    if ranges.assign(network):
        row.refresh_from_db(fields=["ipv4_address"])
    mark_outdated([network.pk], also=[node.pk])
    return row


add = _add


def remove_member(member: Member, *, by: User) -> None:
    check(by, member.network, "delete_member", whose=ownership(member, by))
    remove([member])


def ownership(member: Member, user: User) -> Ownership:
    owner = member.node.owner_id
    if owner == user.pk:
        return "self"
    return "owner" if owner == member.network.owner_id else "other"


@transaction.atomic
def remove(members: Iterable[Member]) -> None:
    """Remove members. The relay is updated before the members."""
    rows = list(members)
    networks = {row.network_id for row in rows}
    mark_outdated(networks, also=[row.node_id for row in rows])
    for row in rows:
        row.delete()
    direct_paths.forget_strangers({row.node_id for row in rows})


@transaction.atomic
def approve(member: Member, *, by: User) -> Member:
    check(by, member.network, "add_share")
    return _add(member.network, member.node, by=by)


@transaction.atomic
def update_member(member: Member, *, by: User, **values: Any) -> Member:
    """Change a member's ``tags`` (used by policies) and ``expires_at``."""
    check(by, member.network, "add_share")
    if "tags" in values:
        member.tags = _checked_tags(values["tags"])
    if "expires_at" in values:
        member.expires_at = values["expires_at"]
    member.save()
    direct_paths.forget_forbidden([member.network_id])
    mark_outdated([member.network_id])
    return member


def _checked_tags(tags: object) -> list[str]:
    fits = isinstance(tags, list) and all(
        isinstance(one, str) and one.isascii() and SELECTOR.fullmatch(f"tag:{one}")
        for one in tags
    )
    if not fits:
        raise Refused(
            {"tags": [gettext("A list of words of a-z, 0-9 and dashes is expected.")]}
        )
    return sorted(set(tags))  # type: ignore[call-overload]


@transaction.atomic
def update_node(node: Node, *, by: User, **values: Any) -> Node:
    """Change ``name``, ``is_fully_managed``, ``endpoint`` and ``port`` of an own node."""
    if node.owner_id != by.pk and not by.is_superuser:
        raise NotPermitted(gettext("Only the owner of a device changes it."))
    check_scope(by, "network:update")
    if "name" in values and values["name"] != node.name:
        for row in node.memberships.select_related("network"):
            _check_name(row.network, node, values["name"])
        if not is_hostname(values["name"]):
            raise BadHostname(values["name"])
    for name, value in values.items():
        setattr(node, name, value)
    node.checked(leave_out={"device", "owner"}).save()
    direct_paths.reconsider([node.pk])
    mark_outdated(networks_of(node), also=[node.pk])
    return node


@transaction.atomic
def leave_all(device: Device) -> None:
    """Remove the device from all networks. Its node keeps the key and address."""
    remove(Member.objects.filter(node__device=device))
    Node.objects.filter(device=device, is_relay=True).update(device=None)


def end_expired() -> int:
    over = Q(expires_at__lte=timezone.now())
    # Nodes of deleted accounts, except devices of the inventory.
    nobodys = Q(node__owner=None, node__device=None)
    rows = list(Member.objects.filter(over | nobodys).select_related("node", "network"))
    if rows:
        remove(rows)
    return len(rows)


def reachable(node: Node) -> bool:
    """Return whether the device is online: by SSH, or by its agent's recent poll."""
    if node.device_id is not None:
        return ssh.answers(node)
    if node.key_mode == Node.KeyMode.STATIC:
        return True
    patience = settings.MUSTER_JOIN_POLL_SECONDS * SILENT_ROUNDS
    seen = node.last_seen
    return seen is not None and (timezone.now() - seen).total_seconds() <= patience
