"""Models of users, tenancy, credentials and audit."""

from controller.accounts.models.audit import AuditChain, Audited, AuditEntry
from controller.accounts.models.credentials import (
    ApiKey,
    ApiToken,
    Authenticator,
    BackupCode,
    Lockout,
    Session,
)
from controller.accounts.models.invitations import Invitation
from controller.accounts.models.saved_filters import SavedFilter
from controller.accounts.models.table_imports import TableImport
from controller.accounts.models.tenancy import (
    OrganizationOwned,
    OrganizationScoped,
    OrganizationScopedQuerySet,
    Shareable,
    Site,
    SiteGrant,
)
from controller.accounts.models.users import GroupRole, Membership, Organization, User
from controller.accounts.models.versions import Version

__all__ = [
    "ApiKey",
    "ApiToken",
    "AuditChain",
    "AuditEntry",
    "Audited",
    "Authenticator",
    "BackupCode",
    "GroupRole",
    "Invitation",
    "Lockout",
    "Membership",
    "Organization",
    "OrganizationOwned",
    "OrganizationScoped",
    "OrganizationScopedQuerySet",
    "SavedFilter",
    "Session",
    "Shareable",
    "Site",
    "SiteGrant",
    "TableImport",
    "User",
    "Version",
]
