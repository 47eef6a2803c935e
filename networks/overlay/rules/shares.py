"""Sharing of networks by e-mail address or by invitation."""

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models.functions import Lower
from django.utils import timezone
from guardian.shortcuts import assign_perm, remove_perm

from controller.accounts.models import User
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
    if address.lower() in {owner.email.lower(), *_verified(owner)}:
        raise Refused({"email": ["It is the owner's own."]})
    row, _ = Share.objects.get_or_create(
        network=network, email__iexact=address, defaults={"email": address}
    )
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


def _verified(user: User) -> set[str]:
    """Return the user's verified e-mail addresses in lower case."""
    rows = EmailAddress.objects.filter(user=user).values_list("email", "verified")
    known = {email.lower(): verified for email, verified in rows}
    # Accounts created by an administrator have no EmailAddress row; trust their address.
    own = user.email.lower()
    return {one for one, good in known.items() if good} | ({own} if own not in known else set())


def _person(email: str) -> User | None:
    found = User.objects.filter(is_active=True, email__iexact=email).first()
    if found is None:
        row = EmailAddress.objects.filter(email__iexact=email, verified=True).first()
        found = row.user if row else None
    return found if found is not None and email.lower() in _verified(found) else None


def _activate(row: Share, person: User) -> None:
    row.user, row.accepted_at = person, row.accepted_at or timezone.now()
    row.save(update_fields=["user", "accepted_at"])
    for name, codename in PERMISSIONS.items():
        change = assign_perm if name == row.permissions else remove_perm
        change(codename, person, row.network)


def claim(user: User) -> int:
    """Activate pending shares for the user's verified addresses. Returns their number."""
    waiting = Share.objects.filter(user=None)
    if not waiting.exists():
        return 0
    mine = list(
        waiting.annotate(lower=Lower("email"))
        .filter(lower__in=_verified(user))
        .select_related("network")
    )
    with transaction.atomic():
        for row in mine:
            if row.network.owner_id != user.pk:
                _activate(row, user)
    return len(mine)


@transaction.atomic
def remove_share(network: Network, *, by: User, email: object) -> None:
    """Revoke a share and remove the user's devices from the network."""
    address = checked_email(email)
    row = Share.objects.filter(network=network, email__iexact=address).first()
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
    if address.lower() == network.owner.email.lower():
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
        row, _ = Share.objects.get_or_create(
            network=network, email__iexact=user.email, defaults={"email": user.email}
        )
        _activate(row, user)
    return network
