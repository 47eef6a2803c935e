"""Join codes, self-registration with claim links, and static members."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_urlsafe

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext

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
from networks.overlay.rules import agent_tokens, direct_paths
from networks.overlay.rules.members import add, networks_of, ownership
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
HEARTBEAT_RENEWED = timedelta(seconds=1)
# What a static configuration is for.
APP, LINUX = "app", "linux"


@dataclass(frozen=True)
class JoinResult:
    """Outcome of a join or registration. Token and secret are never shown again."""

    node: Node
    token: str = field(repr=False)
    member: Member | None = None
    secret: str = field(default="", repr=False)


class BadCode(NotPermitted):
    def __init__(self) -> None:
        super().__init__("This join code is not good, or not any more.", code=INVALID_CODE)


def join_code(code: JoinCode, hub: Node) -> str:
    """Return the code for devices: the relay's address (from its key) and a secret."""
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
        raise Refused(
            gettext("A network has at most %(most_codes)s codes: remove those that are over.")
            % {"most_codes": MOST_CODES}
        )
    row = JoinCode(
        network=network, creator=by, label=label, max_uses=max_uses, expires_at=expires_at,
        needs_approval=needs_approval,
    )  # fmt: skip
    row.checked(leave_out={"digest"}).save()
    return row


def revoke_code(code: JoinCode, *, by: User) -> None:
    """Revoke a join code. Nodes that have joined with it stay members."""
    check(by, code.network, "rotate_code")
    code.revoked = timezone.now()
    code.save(update_fields=["revoked"])


def join(
    *, code: object, public_key: object, hostname: object = "", token: str = "", agent: str = ""
) -> JoinResult:
    """Join a network with a code, idempotently: the same key is the same device.

    Raises BadCode if the code is invalid, and Refused for an invalid key or host name.
    """
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
    """Return the node of the key, new or known, and the device token of a new one."""
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
        raise Refused({"hostname": [gettext("A host name has a-z, 0-9 and dashes.")]}, code="invalid-hostname")  # fmt: skip
    _count(code)
    told = token_urlsafe(32)
    node = new_node(
        key, owner=code.creator, name=free_name(wanted, taken),
        token_digest=digest(told), last_seen=timezone.now(),
    )  # fmt: skip
    node.save()
    return node, told


def _check_known(node: Node, token: str) -> None:
    """Require the node's token: a public key alone proves nothing."""
    if node.device_id is not None or node.token_digest != digest(token):
        raise NotPermitted(gettext("This key is known: send the token that came with it."), code=INVALID_CODE)  # fmt: skip


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
    """Register an unowned node and return a claim link's secret. Idempotent by key."""
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
    """Return the claim link that the device prints."""
    return link(base, str(joined.node.address), joined.secret)


def node_of_token(token: str) -> Node:
    rows = Node.objects.filter(token_digest=digest(token))
    found: Node | None = rows.first() if token else None
    if found is None and token:
        found = agent_tokens.node_of(token)
    if found is None:
        raise NotAuthenticated(gettext("No device has this token."))
    return found


def record_heartbeat(node: Node) -> None:
    """Record that the device's agent has polled: the node is online."""
    now = timezone.now()
    is_known = node.online and node.evidence == "heartbeat"
    if is_known and node.last_seen and now - node.last_seen < HEARTBEAT_RENEWED:
        return
    Node.objects.filter(pk=node.pk).update(
        last_seen=now, online=True, evidence="heartbeat", checked_at=now
    )


def document(node: Node) -> str:
    """Return the node's plan as the text that the join client applies."""
    _, found = script_parts(load_topology([node.pk]), node)
    return configs.document(found, node.revision)


@transaction.atomic
def leave(node: Node) -> None:
    """Remove the node from all its networks, on its own request."""
    mark_outdated(networks_of(node), also=[node.pk])
    node.memberships.all().delete()
    direct_paths.forget_strangers([node.pk])


@transaction.atomic
def static_member(
    network: Network, *, by: User, name: str, system: str = APP
) -> tuple[Member, str]:
    """Add a member with a static configuration, such as a phone.

    Returns the member and its configuration, which contains the private key and is not
    stored. Raises NotFound while the relay has no endpoint.
    """
    check(by, network, "add_member")
    taken = set(network.members.values_list("node__name", flat=True))
    if not is_hostname(name) or name in taken:
        raise Refused(
            {"name": [gettext("It is no host name, or somebody in the network has it.")]}
        )
    hub = relay()
    if not hub.endpoint:
        raise NotFound(
            gettext("There is no relay yet that a phone could reach: set one up first.")
        )
    private, public = wireguard_pair()
    node = new_node(
        public, owner=by, name=name, key_mode=Node.KeyMode.STATIC, offers={"system": system}
    )
    node.save()
    member = add(network, node, by=by)
    return member, static_text(node, private)


def static_text(node: Node, private: str) -> str:
    """Return a static member's configuration; without a key, the device keeps its own."""
    made = plan(load_topology([node.pk]), node.pk)
    is_linux = node.offers.get("system") == LINUX
    return configs.phone_config(made, private_key=private, is_linux=is_linux)


@transaction.atomic
def reissue(member: Member, *, by: User) -> str:
    """Return a new configuration of a static member, with a new key and the same address.

    The old configuration ends at once. Raises Refused unless the member is static and the
    user's own, or in a network that the user manages.
    """
    node = member.node
    check(by, member.network, "delete_member", whose=ownership(member, by))
    if node.key_mode != Node.KeyMode.STATIC:
        raise Refused("Only a fixed configuration, such as a phone's, is issued again.")
    return static_text(node, new_key(node))


def new_key(node: Node) -> str:
    """Give a node another key, and return the private one. The old one ends."""
    private, node.public_key = wireguard_pair()
    node.save(update_fields=["public_key"])
    mark_outdated(networks_of(node), also=[node.pk])
    return private
