"""Rules of authentication, credentials, users, sites and permissions."""

from controller.accounts.rules.authentication import (
    EmailOrUsernameBackend,
    authenticate_password,
    authenticate_token,
    authorize,
    issue_token,
    revoke_token,
)
from controller.accounts.rules.users import (
    change_role,
    create_organization,
    delete_organization,
    delete_user,
    grant,
    revoke,
    update_organization,
    update_user,
)

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
