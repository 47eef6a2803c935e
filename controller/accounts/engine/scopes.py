"""Roles, site grants and what they permit: ``resource:action``, with ``*`` for any.

Actions are read, create, update and delete; ``secret`` reads what is otherwise masked, and a
resource may have verbs of its own (``device:deactivate``).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from uuid import UUID

READ = "*:read"
CRUD = ("read", "create", "update", "delete")

# Every permission there is, so that a key's scopes and a person's own list can name them.
RESOURCES: Mapping[str, tuple[str, ...]] = {
    "address": CRUD,
    "audit": ("read",),
    "ca": (*CRUD, "secret"),
    "cert": (*CRUD, "secret"),
    "command": ("read", "create"),
    "config": CRUD,
    "connection": CRUD,
    "controller": ("write",),
    "credentials": CRUD,
    "device": (*CRUD, "secret"),
    "discovery": ("read", "run", "write"),
    "filter": ("share",),
    "firewall": ("read", "write"),
    "firmware": ("upgrade",),
    "floorplan": CRUD,
    "gateway": CRUD,
    "group": CRUD,
    "hypervisor": ("read", "write"),
    "location": CRUD,
    "monitoring": CRUD,
    "network": (*CRUD, "write"),
    "notification": ("read", "update"),
    "organization": (*CRUD, "secret"),
    "site": CRUD,
    "subnet": CRUD,
    # Beside looking: harmless deeds, power, removing data, keys, ignoring locks, old terminals.
    "supervisor": (
        *CRUD,
        "act",
        "power",
        "purge",
        "rotate",
        "force",
        "terminal",
        "secret",
        "logs",
        "backup",
        "download",
        "manage",
        "remote",
    ),
    "template": CRUD,
    "terminal": ("read", "open", "replay", "close"),
    "user": CRUD,
    "usergroup": CRUD,
    "vpn": (*CRUD, "write"),
    "webhook": CRUD,
}

_OPERATED = (
    "device", "config", "template", "group", "connection", "location", "floorplan", "address",
    "monitoring",
)  # fmt: skip
_ON_SITE = (*_OPERATED, "credentials", "gateway", "network", "subnet", "discovery")

ROLES: Mapping[str, frozenset[str]] = {
    "admin": frozenset({"*:*"}),
    "org_admin": frozenset({"*:*"}),
    "site_admin": frozenset(
        {READ, "site:update", "*:write", "command:create", "terminal:open", "filter:share"}
        | {
            f"supervisor:{one}"
            for one in (*CRUD, "act", "power", "purge", "force", "terminal", "logs", "backup")
        }
        | {f"{one}:*" for one in _ON_SITE}
    ),
    "operator": frozenset(
        {READ, "device:secret", "command:create", "discovery:run", "filter:share"}
        | {"supervisor:act", "supervisor:power", "supervisor:logs"}
        | {f"{resource}:*" for resource in _OPERATED}
    ),
    "viewer": frozenset({READ}),
    "guest": frozenset({"device:read", "site:read"}),
}
_MANAGEMENT = frozenset({"audit:read", "user:read", "usergroup:read", "webhook:read"})
# What a role's patterns would include and it does not have.
WITHHELD: Mapping[str, frozenset[str]] = {
    "org_admin": frozenset({"firmware:upgrade", "organization:create", "organization:delete"}),
    "admin": frozenset({"organization:create"}),
    "site_admin": _MANAGEMENT,
    "operator": _MANAGEMENT,
    "viewer": _MANAGEMENT,
}
RANKS: Mapping[str, int] = {
    "super_admin": 100,
    "admin": 80,
    "org_admin": 60,
    "site_admin": 40,
    "operator": 20,
    "viewer": 10,
    "guest": 0,
}
# From this rank on, a role is for all sites of its organization.
EVERY_SITE = RANKS["org_admin"]
# This role is for sites alone: devices of no site are not theirs.
BOUND_TO_SITES = frozenset({"site_admin"})


class NoSite:
    """Stands for the site of a row of a kind that belongs to no site."""


NO_SITE = NoSite()
SiteScope = UUID | NoSite | None


def allows(granted: Collection[str], permission: str) -> bool:
    """Whether any granted pattern covers the permission.

    >>> allows({"device:*"}, "device:update"), allows({"*:read"}, "device:update")
    (True, False)
    """
    resource, action = permission.split(":")
    return not {permission, f"{resource}:*", f"*:{action}", "*:*"}.isdisjoint(granted)


def role_allows(role: str, permission: str) -> bool:
    return allows(ROLES[role], permission) and permission not in WITHHELD.get(role, ())


def grant_allows(level: str | None, permission: str) -> bool:
    """What a site grant leaves of a role: ``read`` looks, ``write`` removes nothing."""
    action = permission.rpartition(":")[2]
    match level:
        case "full":
            return True
        case "write":
            return action != "delete"
        case "read":
            return action == "read"
    return False


@dataclass(frozen=True)
class OrganizationAccess:
    """What a user is in one organization: a role, sites, and the permissions of groups."""

    role: str
    grants: Mapping[UUID, str] = field(default_factory=dict)

    @property
    def covers_every_site(self) -> bool:
        return RANKS[self.role] >= EVERY_SITE

    def allows(
        self, permission: str, place: SiteScope = NO_SITE, extra: Collection[str] = ()
    ) -> bool:
        """Whether the role (or ``extra``) permits it, and the grant does for this site.

        ``place`` is a site, None for a row that could be in a site and is in none, or
        ``ELSEWHERE`` for rows of kinds that have no site.
        """
        if not (role_allows(self.role, permission) or permission in extra):
            return False
        if self.covers_every_site or isinstance(place, NoSite):
            return True
        if place is None:
            return self.role not in BOUND_TO_SITES
        return grant_allows(self.grants.get(place), permission)


@lru_cache(maxsize=1)
def every_permission() -> tuple[str, ...]:
    return tuple(f"{resource}:{one}" for resource in RESOURCES for one in RESOURCES[resource])


def unknown(scopes: Collection[str]) -> Iterator[str]:
    """Those that name no permission and no pattern of some."""
    resources, actions = {*RESOURCES, "*"}, {one for all_ in RESOURCES.values() for one in all_}
    for scope in scopes:
        resource, colon, action = scope.partition(":")
        fits = resource in resources and (action == "*" or action in actions)
        if resource in RESOURCES:
            fits = action == "*" or action in RESOURCES[resource]
        if not (colon and fits):
            yield scope
