"""Links with which a device with a fixed configuration gets the present one without signing in."""

from secrets import token_urlsafe

from django.db import transaction
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.accounts.rules.audit import record_audit
from controller.base.errors import NotFound, Refused
from controller.base.secrets import digest
from networks.overlay.models import Member, Node
from networks.overlay.rules.join_codes import new_key, static_text
from networks.overlay.rules.members import ownership
from networks.overlay.rules.networks import check


@transaction.atomic
def create_link(member: Member, *, by: User) -> str:
    """Return the token of a new link for a static member. An earlier link ends.

    Raises Refused unless the member is static and the user's own, or in a network that the
    user manages.
    """
    node = _static(member, by)
    token = token_urlsafe(32)
    node.renewal_digest = digest(token)
    node.save(update_fields=["renewal_digest"])
    return token


@transaction.atomic
def revoke_link(member: Member, *, by: User) -> None:
    node = _static(member, by)
    node.renewal_digest = None
    node.save(update_fields=["renewal_digest"])


def _static(member: Member, by: User) -> Node:
    check(by, member.network, "delete_member", whose=ownership(member, by))
    if member.node.key_mode != Node.KeyMode.STATIC:
        raise Refused(gettext("Only a device with a fixed configuration has such a link."))
    node: Node = member.node
    return node


def node_of_link(token: str) -> Node:
    """Return the node that a link is for.

    Raises NotFound if the link has ended, or the node is in no network any more.
    """
    rows = Node.objects.filter(renewal_digest=digest(token), key_mode=Node.KeyMode.STATIC)
    active = Member.objects.active().values("node")
    found: Node | None = rows.filter(pk__in=active, owner__is_active=True).first()
    if found is None:
        raise NotFound(gettext("This link is not good, or not any more."))
    return found


def present_text(token: str) -> str:
    """Return the present configuration, in which the device keeps its own key."""
    return static_text(node_of_link(token), "")


@transaction.atomic
def renew(token: str) -> tuple[Node, str]:
    """Return the node and its present configuration with a new key. The old key ends."""
    node = node_of_link(token)
    record_audit("overlay.renewed_by_link", node, detail="by its link")
    return node, static_text(node, new_key(node))
