"""Sharing of networks by e-mail address or by invitation."""

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone
from guardian.shortcuts import assign_perm, remove_perm

from controller.accounts.engine.email_addresses import canonical_email, is_same_email
from controller.accounts.models import User
from controller.accounts.rules.emails import candidates, owner_of, verified_of
from controller.base.errors import Conflict, NotFound, Refused
from networks.overlay.engine.roles import Ownership
from networks.overlay.models import PERMISSIONS, Network, Share
from networks.overlay.rules.members import remove
from networks.overlay.rules.networks import check, network_of_token


@transaction.atomic
def add_share(
    network: Network, *, by: User, email: object, permissions: object = "member"
) -> Share:
    """Share a network by e-mail, or change the permissions of a share.

    The share is effective once a user has verified the address. The answer does not reveal
    whether an account with the address exists.
    """
    check(by, network, "add_share")
    address = checked_email(email)
    if permissions not in Share.Permissions.values:
        raise Refused({"permissions": ["Either member or admin."]})
    owner = network.owner
    if canonical_email(address) in {canonical_email(owner.email), *verified_of(owner)}:
        raise Refused({"email": ["It is the owner's own."]})
    row = _share_of(network, address) or Share(network=network, email=address)
    row.permissions = str(permissions)
    row.save()
    person = row.user or _person(address)
    if person is not None:
        _activate(row, person)
    return row


def checked_email(email: object) -> str:
    text = email.strip() if isinstance(email, str) else ""
    try:
        validate_email(text)
    except ValidationError as error:
        raise Refused({"email": ["An e-mail address is expected."]}) from error
    return text


def _person(email: str) -> User | None:
    found = owner_of(email)
    return found if found is not None and found.is_active else None


def _share_of(network: Network, email: str) -> Share | None:
    rows = Share.objects.filter(candidates(email), network=network)
    return next((one for one in rows if is_same_email(one.email, email)), None)


def _activate(row: Share, person: User) -> None:
    row.user, row.accepted_at = person, row.accepted_at or timezone.now()
    row.save()
    for name, codename in PERMISSIONS.items():
        change = assign_perm if name == row.permissions else remove_perm
        change(codename, person, row.network)


def claim(user: User) -> int:
    """Activate pending shares for the user's verified addresses. Returns their number."""
    waiting = Share.objects.filter(user=None)
    if not waiting.exists():
        return 0
    mine_verified = verified_of(user)
    mine = [
        one
        for one in waiting.select_related("network")
        if canonical_email(one.email) in mine_verified
    ]
    with transaction.atomic():
        for row in mine:
            if row.network.owner_id != user.pk:
                _activate(row, user)
    return len(mine)


@transaction.atomic
def remove_share(network: Network, *, by: User, email: object) -> None:
    """Revoke a share and remove the user's devices from the network."""
    address = checked_email(email)
    row = _share_of(network, address)
    check(by, network, "remove_share", whose=_whose(network, row, address, by))
    if row is None:
        raise NotFound("The network is not shared with this e-mail.")
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

    Raises NotFound or Conflict.
    """
    network = network_of_token(token)
    if network.owner_id == user.pk:
        raise Conflict("The network is your own.")
    row = Share.objects.filter(network=network, user=user).first()
    if row is None:
        row = _share_of(network, user.email)
        if row is not None and canonical_email(user.email) not in verified_of(user):
            # It is of whoever really has this address, perhaps with an administrator's rights.
            raise Refused("Confirm your e-mail address first, by the link that it was sent.")
        row = row or Share(network=network, email=user.email)
        _activate(row, user)
    return network
