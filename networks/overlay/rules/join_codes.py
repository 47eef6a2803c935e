"""Devices that join by themselves: with a code, or with a link that somebody opens for them."""

from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_urlsafe

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from controller.accounts.models import User
from controller.base.errors import NotAuthenticated, NotFound, NotPermitted, Refused
from controller.base.secrets import digest
from networks.overlay.engine import configs
from networks.overlay.engine.keys import checked_public, wireguard_pair
from networks.overlay.engine.overlay_names import (
    free_name,
    is_hostname,
    link,
    new_link_secret,
    parse_code,
)
from networks.overlay.engine.topology import plan
from networks.overlay.models import JoinCode, Member, Network, Node
from networks.overlay.rules.members import add, find_paths, networks_of
from networks.overlay.rules.networks import check
from networks.overlay.rules.plans import (
    load_topology,
    mark_outdated,
    new_node,
    relay,
    script_parts,
)

INVALID_CODE = "invalid-code"
LONGEST_AGENT = 64
MOST_CODES = 100


@dataclass(frozen=True)
class JoinResult:
    """What a device that joins is told; token and secret are told this once."""

    node: Node
    token: str = field(repr=False)
    member: Member | None = None
    secret: str = field(default="", repr=False)


class BadCode(NotPermitted):
    def __init__(self) -> None:
        super().__init__("This join code is not good, or not any more.", code=INVALID_CODE)


def join_code(code: JoinCode, hub: Node) -> str:
    """As devices are given it: the relay's address, by which they know its key, and a secret."""
    return f"{hub.address}/{code.secret}"


@transaction.atomic
def create_code(
    network: Network,
    *,
    by: User,
    label: str = "",
    max_uses: int | None = None,
    expires_at: datetime | None = None,
    needs_approval: bool = False,
) -> JoinCode:
    check(by, network, "rotate_code")
    if network.codes.count() >= MOST_CODES:
        raise Refused(f"A network has at most {MOST_CODES} codes: remove those that are over.")
    row = JoinCode(
        network=network, creator=by, label=label, max_uses=max_uses, expires_at=expires_at,
        needs_approval=needs_approval,
    )  # fmt: skip
    row.checked(leave_out={"digest"}).save()
    return row


def revoke_code(code: JoinCode, *, by: User) -> None:
    """Nobody joins with it any more; who has joined stays."""
    check(by, code.network, "rotate_code")
    code.revoked = timezone.now()
    code.save(update_fields=["revoked"])


def join(
    *, code: object, public_key: object, hostname: object = "", token: str = "", agent: str = ""
) -> JoinResult:
    """A device comes into a network with a code. The same key again is the same device."""
    key = _checked_key(public_key)
    with transaction.atomic():
        found = _use(code)
        node, told = _node(key, found, hostname=hostname, token=token, agent=agent)
        member = add(found.network, node, by=found.creator, pending=found.needs_approval)
    return JoinResult(node, told, member)


def _checked_key(public_key: object) -> str:
    try:
        return checked_public(public_key if isinstance(public_key, str) else "")
    except ValueError as error:
        raise Refused({"public_key": [str(error)]}) from error


def _use(code: object) -> JoinCode:
    try:
        address, secret = parse_code(code if isinstance(code, str) else "")
    except ValueError:
        raise BadCode from None
    rows = JoinCode.objects.select_for_update(of=("self",)).select_related("network", "creator")
    found = rows.filter(digest=digest(secret)).first()
    if found is None or not found.is_good or address != str(relay().address):
        raise BadCode
    return found


def _node(
    key: str, code: JoinCode, *, hostname: object, token: str, agent: str
) -> tuple[Node, str]:
    """The device of this key, new or known, and its token where it is told one."""
    known = Node.objects.filter(public_key=key).first()
    taken = set(code.network.members.values_list("node__name", flat=True))
    if known is not None:
        _check_known(known, token)
        is_member = known.memberships.filter(network=code.network).exists()
        if not is_member:
            _count(code)
            if known.name in taken:
                _rename(known, taken)
        if known.owner_id is None:
            known.owner = code.creator
            known.save(update_fields=["owner"])
        return known, ""
    wanted = hostname or "device"
    if not isinstance(wanted, str) or (hostname and not is_hostname(wanted)):
        raise Refused({"hostname": ["A host name has a-z, 0-9 and dashes."]}, code="invalid-hostname")  # fmt: skip
    _count(code)
    told = token_urlsafe(32)
    node = new_node(
        key, owner=code.creator, name=free_name(wanted, taken),
        token_digest=digest(told), last_seen=timezone.now(),
    )  # fmt: skip
    node.save()
    return node, told


def _check_known(node: Node, token: str) -> None:
    """A public key is no secret, so that whoever speaks for a known one has its token."""
    if node.device_id is not None or node.token_digest != digest(token):
        raise NotPermitted("This key is known: send the token that came with it.", code=INVALID_CODE)  # fmt: skip


def _rename(node: Node, taken: set[str]) -> None:
    others = Member.objects.filter(network__in=networks_of(node)).exclude(node=node)
    elsewhere = set(others.values_list("node__name", flat=True))
    node.name = free_name(node.name, taken | elsewhere)
    node.save(update_fields=["name"])
    mark_outdated(networks_of(node), also=[node.pk])


def _count(code: JoinCode) -> None:
    JoinCode.objects.filter(pk=code.pk).update(uses=F("uses") + 1)


@transaction.atomic
def register(*, public_key: object, hostname: object = "", token: str = "") -> JoinResult:
    """A device of nobody's, which prints a link for somebody to claim it by."""
    key = _checked_key(public_key)
    secret = new_link_secret()
    node, told = Node.objects.filter(public_key=key).first(), ""
    if node is None:
        told = token_urlsafe(32)
        name = hostname if is_hostname(hostname) else "device"
        node = new_node(key, name=name, token_digest=digest(told))
    else:
        _check_known(node, token)
    node.link_digest, node.last_seen = digest(secret), timezone.now()
    node.save()
    return JoinResult(node, told, secret=secret)


def websetup_link(joined: JoinResult, base: str) -> str:
    """What the device prints, for somebody to claim it by."""
    return link(base, str(joined.node.address), joined.secret)


def node_of_token(token: str) -> Node:
    rows = Node.objects.filter(token_digest=digest(token))
    found: Node | None = rows.first() if token else None
    if found is None:
        raise NotAuthenticated("No device has this token.")
    return found


def record_heartbeat(node: Node) -> None:
    """The device's agent has just asked."""
    now = timezone.now()
    Node.objects.filter(pk=node.pk).update(
        last_seen=now, online=True, evidence="heartbeat", checked_at=now
    )


def document(node: Node) -> str:
    """What the agent of a device is to apply."""
    _, found = script_parts(load_topology([node.pk]), node)
    return configs.document(found, node.revision)


@transaction.atomic
def leave(node: Node) -> None:
    """The device leaves all its networks by itself."""
    mark_outdated(networks_of(node), also=[node.pk])
    node.memberships.all().delete()
    find_paths(node)


@transaction.atomic
def static_member(network: Network, *, by: User, name: str) -> tuple[Member, str]:
    """A member for a phone or a stranger's laptop: its configuration is shown this once."""
    check(by, network, "add_member")
    taken = set(network.members.values_list("node__name", flat=True))
    if not is_hostname(name) or name in taken:
        raise Refused({"name": ["It is no host name, or somebody in the network has it."]})
    hub = relay()
    if not hub.endpoint:
        raise NotFound("There is no relay yet that a phone could reach: set one up first.")
    private, public = wireguard_pair()
    node = new_node(public, owner=by, name=name, key_mode=Node.KeyMode.STATIC)
    node.save()
    member = add(network, node, by=by)
    text = configs.phone_config(plan(load_topology([node.pk]), node.pk), private_key=private)
    return member, text
