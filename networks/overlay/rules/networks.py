"""Networks, roles of users in them, and invitations."""

from typing import Any

from django.core.signing import Signer, b62_encode
from django.db import transaction
from django.utils.translation import gettext
from guardian.models import UserObjectPermission

from controller.accounts.engine.scopes import allows
from controller.accounts.models import User
from controller.base.errors import NotFound, NotPermitted, Refused
from networks.overlay.engine.overlay_names import new_code
from networks.overlay.engine.roles import Action, Ownership, Role, can
from networks.overlay.models import PERMISSIONS, Account, JoinCode, Member, Network
from networks.overlay.rules import ranges
from networks.overlay.rules.plans import mark_outdated, relay, slug_of

LONGEST_NAME = 255


def role_of(user: User, network: Network) -> Role:
    """Return the user's role in the network. Superusers count as owner."""
    if not user.is_active:
        return "stranger"
    if user.is_superuser or network.owner_id == user.pk:
        return "owner"
    held = set(
        UserObjectPermission.objects.filter(
            user=user,
            object_pk=str(network.pk),
            permission__codename__in=PERMISSIONS.values(),
            permission__content_type__app_label="networks",
        ).values_list("permission__codename", flat=True)
    )
    if PERMISSIONS["admin"] in held:
        return "admin"
    return "member" if PERMISSIONS["member"] in held else "stranger"


def administered(user: User) -> set[int]:
    """Return the ids of other users' networks that the user administers."""
    return {
        int(pk)
        for pk in UserObjectPermission.objects.filter(
            user=user,
            permission__codename=PERMISSIONS["admin"],
            permission__content_type__app_label="networks",
        ).values_list("object_pk", flat=True)
    }


def check(user: User, network: Network, action: Action, *, whose: Ownership = "other") -> None:
    """Check that the user may do `action`.

    Raises NotFound for strangers, NotPermitted if the role or the key's scopes do not allow
    it, and Refused if the owner would be removed.
    """
    match can(role_of(user, network), action, whose=whose):
        case "yes":
            check_scope(user, "network:read" if action == "see" else "network:update")
        case "forbidden":
            raise NotPermitted(gettext("Your part in this network does not permit this."))
        case "senseless":
            raise Refused(gettext("The owner cannot be removed from their network."))
        case _:
            raise NotFound(gettext("There is no such network."))


def check_scope(user: User, permission: str) -> None:
    """Raise NotPermitted unless the scopes of the user's API key allow `permission`."""
    if user.scopes is not None and not allows(user.scopes, permission):
        raise NotPermitted(
            gettext("This key does not permit %(permission)s.") % {"permission": permission}
        )


def checked_name(name: object) -> str:
    text = name.strip() if isinstance(name, str) else ""
    if not 0 < len(text) <= LONGEST_NAME:
        raise Refused(
            {
                "name": [
                    gettext("A name has 1 to %(longest_name)s characters.")
                    % {"longest_name": LONGEST_NAME}
                ]
            }
        )
    return text


@transaction.atomic
def create_network(owner: User, *, name: object) -> Network:
    check_scope(owner, "network:create")
    text = checked_name(name)
    relay()
    Account.objects.get_or_create(user=owner)
    row = Network.objects.create(owner=owner, name=text)
    row.slug = slug_of(row)
    row.save(update_fields=["slug"])
    JoinCode.objects.create(network=row, creator=owner, is_default=True)
    return row


@transaction.atomic
def update_network(network: Network, /, *, by: User, **values: Any) -> Network:
    """Change ``name``, ``ipv4_range``, ``has_resolver`` and ``master`` (a member's id, or None)."""
    check(by, network, "change")
    if unknown := values.keys() - {"name", "master", "ipv4_range", "has_resolver"}:
        raise Refused(
            gettext("A network has no %(unknown)s.") % {"unknown": sorted(unknown)[0]}
        )
    if "name" in values:
        network.name = checked_name(values["name"])
    if "master" in values:
        master = None if values["master"] is None else _member(network, values["master"])
        network.master = master
        mark_outdated([network.pk])
        if master is not None and master.state != Member.State.ACTIVE:
            raise Refused({"ros-master": [gettext("This member has not been let in yet.")]})
    if "has_resolver" in values:
        network.has_resolver = bool(values["has_resolver"])
        mark_outdated([network.pk])
    network.save()
    if "ipv4_range" in values:
        ranges.set_range(network, values["ipv4_range"], by=by)
        mark_outdated([network.pk])
    return network


def _member(network: Network, pk: object) -> Member:
    found: Member | None = (
        network.members.filter(pk=str(pk)).first() if str(pk).isdecimal() else None
    )
    if found is None:
        raise Refused({"ros-master": [gettext("No member of this network has this id.")]})
    return found


@transaction.atomic
def delete_network(network: Network, *, by: User) -> None:
    check(by, network, "delete")
    nodes = list(network.members.values_list("node", flat=True))
    # Mark them before the cascade deletes the members, which must receive the change.
    mark_outdated([network.pk], also=nodes)
    UserObjectPermission.objects.filter(
        object_pk=str(network.pk), permission__content_type__app_label="networks"
    ).delete()
    network.delete()


@transaction.atomic
def rotate_code(network: Network, *, by: User) -> JoinCode:
    """Replace the default join code. Nodes that have joined stay members."""
    check(by, network, "rotate_code")
    old = network.codes.filter(is_default=True)
    network.codes.filter(pk__in=list(old.values_list("pk", flat=True))).delete()
    return JoinCode.objects.create(network=network, creator=network.owner, is_default=True)


@transaction.atomic
def rotate_share_token(network: Network, *, by: User) -> Network:
    """Replace the share nonce, which invalidates earlier invitations."""
    check(by, network, "rotate_code")
    network.share_nonce = new_code()
    network.save(update_fields=["share_nonce"])
    return network


def share_token(network: Network) -> str:
    """Return the signed invitation: network id, creation time and signature."""
    stamp = b62_encode(int(network.created.timestamp()))
    return _signer(network.share_nonce).sign(f"{network.pk:04d}:{stamp}")


def network_of_token(token: str) -> Network:
    """Return the network of an invitation. Raises NotFound if it is invalid."""
    number, _, _ = token.partition(":")
    rows = Network.objects.filter(pk=number) if number.isdecimal() else Network.objects.none()
    found: Network | None = rows.first()
    if found is None or share_token(found) != token:
        raise NotFound(gettext("This invitation is not good, or not any more."))
    return found


def _signer(nonce: str) -> Signer:
    return Signer(salt=f"networks.share.{nonce}")
