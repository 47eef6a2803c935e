"""Sharing of networks by e-mail address or by invitation."""

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from guardian.shortcuts import assign_perm, remove_perm

from controller.accounts.engine.email_addresses import canonical_email, is_same_email
from controller.accounts.models import User
from controller.accounts.rules.emails import candidates, mark_verified, verified_of
from controller.base.errors import Conflict, NotFound, Refused
from controller.base.mail_budget import check_mail_budget
from controller.celery import enqueue_on_commit
from networks.overlay.engine.roles import Ownership
from networks.overlay.models import PERMISSIONS, Network, Share
from networks.overlay.rules.members import remove
from networks.overlay.rules.networks import check, network_of_token

SALT = "networks.share"
OPEN_SECONDS = 30 * 24 * 3600
BAD_LINK = "This invitation is not good, or not any more."


@transaction.atomic
def add_share(
    network: Network, *, by: User, email: object, permissions: object = "member"
) -> Share:
    """Invite an e-mail address into a network, or change the permissions of a share.

    The share takes effect when the invitation is accepted. The answer does not reveal whether
    an account with the address exists.
    """
    check(by, network, "add_share")
    address = checked_email(email)
    if permissions not in Share.Permissions.values:
        raise Refused({"permissions": [gettext("Either member or admin.")]})
    owner = network.owner
    if canonical_email(address) in {canonical_email(owner.email), *verified_of(owner)}:
        raise Refused({"email": [gettext("It is the owner's own.")]})
    row = _share_of(network, address) or Share(network=network, email=address)
    row.permissions = str(permissions)
    if row.user is not None:
        _activate(row, row.user)
        return row
    check_mail_budget(by)
    row.save()
    enqueue_on_commit("networks.tasks.mail_share", row.pk)
    return row


def checked_email(email: object) -> str:
    text = email.strip() if isinstance(email, str) else ""
    try:
        validate_email(text)
    except ValidationError as error:
        raise Refused({"email": [gettext("An e-mail address is expected.")]}) from error
    return text


def _share_of(network: Network, email: str) -> Share | None:
    rows = Share.objects.filter(candidates(email), network=network)
    return next((one for one in rows if is_same_email(one.email, email)), None)


def _activate(row: Share, person: User) -> None:
    row.user, row.accepted_at = person, row.accepted_at or timezone.now()
    row.save()
    for name, codename in PERMISSIONS.items():
        change = assign_perm if name == row.permissions else remove_perm
        change(codename, person, row.network)


# --- invitations


def token_of(row: Share) -> str:
    """Return the token of the link that is mailed to the address of a share."""
    return signing.dumps([row.pk, row.email], salt=SALT)


def mail(pk: int) -> bool:
    """Send the link. Returns whether the invitation is still open."""
    row = Share.objects.filter(pk=pk, user=None).select_related("network__owner").first()
    if row is None:
        return False
    # On one line: it stands in a header.
    name = " ".join(row.network.name.split())
    send_mail(
        f"An invitation to the network {name}",
        f"{row.network.owner} shares the network {name} with you as "
        f"{row.get_permissions_display()}.\n\nSign in and accept within thirty days:\n\n"
        f"{settings.MUSTER_PUBLIC_URL}/invitation/{token_of(row)}\n\n"
        "If you do not know them, do nothing.\n",
        None,
        [row.email],
    )
    return True


def waiting_for(user: User) -> list[Share]:
    """Return the open invitations to the user's verified addresses."""
    mine = verified_of(user)
    if not mine:
        return []
    found = Q()
    for one in mine:
        found |= candidates(one)
    rows = Share.objects.filter(found, user=None).exclude(network__owner=user)
    return [
        row
        for row in rows.select_related("network__owner").order_by("pk")
        if canonical_email(row.email) in mine
    ]


def of_token(token: str) -> Share | None:
    """Return the open invitation of a mailed link; None if it is not one."""
    try:
        pk, email = signing.loads(token, salt=SALT, max_age=OPEN_SECONDS)
    except signing.BadSignature:
        return None
    rows = Share.objects.filter(pk=pk, email=email, user=None)
    return rows.select_related("network__owner").first()


def network_of(token: str) -> Network:
    """Return the network of a mailed link, or of a share token. Raises NotFound."""
    row = of_token(token)
    return row.network if row is not None else network_of_token(token)


@transaction.atomic
def remove_share(network: Network, *, by: User, email: object) -> None:
    """Revoke a share and remove the user's devices from the network."""
    address = checked_email(email)
    row = _share_of(network, address)
    check(by, network, "remove_share", whose=_whose(network, row, address, by))
    if row is None:
        raise NotFound(gettext("The network is not shared with this e-mail."))
    if row.user is not None:
        for codename in PERMISSIONS.values():
            remove_perm(codename, row.user, network)
        remove(network.members.filter(node__owner=row.user))
        network.codes.filter(creator=row.user).delete()
    row.delete()


def _whose(network: Network, row: Share | None, address: str, by: User) -> Ownership:
    if is_same_email(address, network.owner.email):
        return "owner"
    return "self" if row is not None and row.user_id == by.pk else "other"


@transaction.atomic
def accept(user: User, token: str) -> Network:
    """Accept an invitation: share its network with the user.

    ``token`` is the one of a mailed link, or the share token of the network. Raises NotFound or
    Conflict.
    """
    network = network_of(token)
    if network.owner_id == user.pk:
        raise Conflict(gettext("The network is your own."))
    if (row := of_token(token)) is not None:
        if Share.objects.filter(network=network, user=user).exists():
            raise Conflict(gettext("The network is shared with you already."))
        # What was mailed to this address came back.
        mark_verified(user, row.email)
        _activate(row, user)
    elif not Share.objects.filter(network=network, user=user).exists():
        _activate(_place_for(user, network), user)
    return network


def _place_for(user: User, network: Network) -> Share:
    """Return the share of whoever presents a share token: the one of their address, or another."""
    mine = next((one for one in waiting_for(user) if one.network_id == network.pk), None)
    if mine is not None:
        return mine
    if _share_of(network, user.email) is not None:
        # The account may belong to the real owner of the address, perhaps an administrator.
        raise Refused(
            gettext("Confirm your e-mail address first, by the link that it was sent.")
        )
    return Share(network=network, email=user.email)


@transaction.atomic
def decline(user: User, token: str) -> None:
    """Delete an invitation, for the holder of its link or address. Raises NotFound."""
    row = of_token(token)
    if row is None or row.network.owner_id == user.pk:
        raise NotFound(BAD_LINK)
    row.delete()
