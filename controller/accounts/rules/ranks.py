"""Rank: nobody gives, takes or changes more than they have themselves.

Every rule that changes a membership, role, grant, group, flag, e-mail address, password or key of
somebody takes who does it as ``by``. The portal itself is :data:`PORTAL`; there is no default.
"""

from typing import Any

from django.utils.translation import gettext

from controller.accounts.models import Organization, Site, User
from controller.base.errors import NotPermitted

LEVELS = ("read", "write", "full")


class Portal:
    """Stands for the portal itself: a command on its machine, or a page for superusers alone."""

    def __repr__(self) -> str:
        return "PORTAL"


PORTAL = Portal()
By = User | Portal


def is_administrator(by: By) -> bool:
    """Return whether ``by`` is above all ranks: the portal, or a superuser with all scopes."""
    return isinstance(by, Portal) or (by.is_active and by.is_superuser and by.scopes is None)


def refuse_keys(by: By) -> None:
    """Raise :class:`NotPermitted` for an API key.

    Keys, passwords, addresses and second factors are managed by people.
    """
    if isinstance(by, User) and by.is_api_key:
        raise NotPermitted(gettext("An API key cannot do this; sign in."))


def check_administrator(by: By, what: str) -> None:
    if not is_administrator(by):
        raise NotPermitted(gettext("Only superusers %(what)s.") % {"what": what})


def check_can_grant_role(by: By, role: str, organization: Organization) -> None:
    """Raise unless ``by`` manages the organization and has at least this role there."""
    if is_administrator(by):
        return
    assert isinstance(by, User)  # noqa: S101 - the portal is above all ranks
    if not by.has_perm_in("user:update", organization.pk):
        raise NotPermitted(
            gettext("You do not manage %(organization)s.") % {"organization": organization}
        )
    if not by.outranks(role, organization.pk):
        raise NotPermitted(
            gettext("Nobody gives or takes a role that is higher than their own.")
        )


def check_can_grant_site(by: By, role: str, site: Site, level: str) -> None:
    """Raise unless ``by`` outranks a member of this role and has this level in the site."""
    check_can_grant_role(by, role, site.organization)
    if is_administrator(by):
        return
    assert isinstance(by, User)  # noqa: S101 - the portal is above all ranks
    own = by.access_by_organization.get(site.organization_id)
    held = own.grants.get(site.pk, "") if own else ""
    has_it = held in LEVELS and LEVELS.index(held) >= LEVELS.index(level)
    if own is None or not (own.covers_every_site or has_it):
        raise NotPermitted(gettext("Nobody gives more of a site than they have."))


def can_manage_user(by: By, user: User) -> bool:
    """Return whether the account is in the hands of ``by``: in every organization of the user."""
    if is_administrator(by):
        return True
    if not isinstance(by, User) or user.is_superuser:
        return False
    roles = dict(user.memberships.values_list("organization_id", "role"))
    return bool(roles) and all(
        by.has_perm_in("user:update", pk) and by.outranks(role, pk)
        for pk, role in roles.items()
    )


def check_can_manage_user(by: By, user: User) -> None:
    """Raise unless ``by`` may change this account: their own, or one that they manage."""
    if isinstance(by, User) and by.pk == user.pk and by.scopes is None:
        return
    if not can_manage_user(by, user):
        raise NotPermitted(
            gettext("This user belongs to organizations that you do not manage.")
        )


def check_flags(by: By, user: User, values: dict[str, Any]) -> None:
    """Raise if a flag or group that means something in every organization would change."""
    for name in ("is_superuser", "groups", "user_permissions"):
        if name not in values:
            continue
        before = _flag(user, name)
        after = {one.pk for one in values[name]} if isinstance(before, set) else values[name]
        if before != after:
            check_administrator(by, f"set {name}")


def _flag(user: User, name: str) -> Any:
    if name == "is_superuser":
        return user.is_superuser
    return (
        set() if user._state.adding else set(getattr(user, name).values_list("pk", flat=True))
    )
