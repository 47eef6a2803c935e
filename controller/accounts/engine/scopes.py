"""Roles, site grants and permissions: ``resource:action``, with ``*`` as wildcard.

Actions are read, create, update and delete; ``secret`` reads values that are otherwise
masked,
and a resource may have further actions (``device:deactivate``).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from uuid import UUID

READ = "*:read"
CRUD = ("read", "create", "update", "delete")

# All permissions that exist, used to validate scopes and to list a user's permissions.
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
    "firmware": (*CRUD, "upgrade"),
    "floorplan": CRUD,
    "gateway": (*CRUD, "secret"),
    "group": CRUD,
    "hypervisor": ("read", "write"),
    "location": CRUD,
    "monitoring": CRUD,
    "network": (*CRUD, "write"),
    "notification": ("read", "update"),
    "organization": (*CRUD, "secret"),
    "site": CRUD,
    "subnet": CRUD,
    # Besides CRUD: harmless calls, power, data removal, keys, ignoring locks, old terminals.
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
# Permissions that a role lacks although its patterns include them.
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
# Roles of this rank and above cover all sites of their organization.
EVERY_SITE = RANKS["org_admin"]
# Roles limited to sites: they do not see devices without a site.
BOUND_TO_SITES = frozenset({"site_admin"})


class NoSite:
    """Sentinel: the row is of a kind that has no site."""


NO_SITE = NoSite()
SiteScope = UUID | NoSite | None


def allows(granted: Collection[str], permission: str) -> bool:
    """Return whether any granted pattern covers the permission.

    >>> allows({"device:*"}, "device:update"), allows({"*:read"}, "device:update")
    (True, False)
    """
    resource, action = permission.split(":")
    return not {permission, f"{resource}:*", f"*:{action}", "*:*"}.isdisjoint(granted)


def role_allows(role: str, permission: str) -> bool:
    return allows(ROLES[role], permission) and permission not in WITHHELD.get(role, ())


def grant_allows(level: str | None, permission: str) -> bool:
    """Return whether a grant permits this action: ``write`` excludes deletion."""
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
    """A user's access to one organization: role and site grants."""

    role: str
    grants: Mapping[UUID, str] = field(default_factory=dict)

    @property
    def covers_every_site(self) -> bool:
        return RANKS[self.role] >= EVERY_SITE

    def allows(
        self, permission: str, place: SiteScope = NO_SITE, extra: Collection[str] = ()
    ) -> bool:
        """Return whether the role (or ``extra``) and the site grant permit this.

        ``place`` is a site, None for a row without site of a kind that can have one, or
        ``NO_SITE``
        for kinds of rows that have no site.
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
    """Yield the scopes that are neither a permission nor a pattern of permissions."""
    resources, actions = {*RESOURCES, "*"}, {one for all_ in RESOURCES.values() for one in all_}
    for scope in scopes:
        resource, colon, action = scope.partition(":")
        fits = resource in resources and (action == "*" or action in actions)
        if resource in RESOURCES:
            fits = action == "*" or action in RESOURCES[resource]
        if not (colon and fits):
            yield scope
