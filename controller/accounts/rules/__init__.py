"""Signing in, tokens, keys, people, and whether somebody may do something."""

from controller.accounts.rules.people import (
    change_role,
    create_organization,
    delete_organization,
    delete_user,
    grant,
    revoke,
    update_organization,
    update_user,
)
from controller.accounts.rules.signing_in import (
    EmailOrUsernameBackend,
    authorize,
    authenticate_password,
    issue_token,
    revoke_token,
    authenticate_token,
)

__all__ = [
    "EmailOrUsernameBackend",
    "authorize",
    "authenticate_password",
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
    "authenticate_token",
]
