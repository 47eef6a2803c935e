"""Rules of authentication, credentials, users, sites and permissions."""

from controller.accounts.rules.authentication import (
    EmailOrUsernameBackend,
    authenticate_password,
    authenticate_token,
    authorize,
    issue_token,
    revoke_token,
)
from controller.accounts.rules.memberships import change_role, grant, revoke
from controller.accounts.rules.organizations import (
    create_organization,
    delete_organization,
    update_organization,
)
from controller.accounts.rules.users import delete_user, update_user

__all__ = [
    "EmailOrUsernameBackend",
    "authenticate_password",
    "authenticate_token",
    "authorize",
    "change_role",
    "create_organization",
    "delete_organization",
    "delete_user",
    "grant",
    "issue_token",
    "revoke",
    "revoke_token",
    "update_organization",
    "update_user",
]
