"""Admin of organizations, users, credentials and the audit log."""

from controller.accounts.admin.api_keys import ApiKeyAdmin, SessionAdmin
from controller.accounts.admin.audit import AuditEntryAdmin
from controller.accounts.admin.login import SignInForm
from controller.accounts.admin.organizations import OrganizationAdmin
from controller.accounts.admin.saved_filters import SavedFilterAdmin
from controller.accounts.admin.sites import SiteAdmin
from controller.accounts.admin.tokens import ApiTokenAdmin
from controller.accounts.admin.users import UserAdmin

__all__ = [
    "ApiKeyAdmin",
    "ApiTokenAdmin",
    "AuditEntryAdmin",
    "OrganizationAdmin",
    "SavedFilterAdmin",
    "SessionAdmin",
    "SignInForm",
    "SiteAdmin",
    "UserAdmin",
]
