"""Rules of credentials and device connections."""

from controller.connections.rules.connections import (
    add_automatic,
    checked_host_key,
    connect,
    disconnect,
    drop_foreign_connections,
    record_attempts,
    update_connection,
    usable_connections,
)
from controller.connections.rules.credential_params import (
    SECRETS,
    checked_params,
)
from controller.connections.rules.credentials import (
    create_credentials,
    delete_credentials,
    update_credentials,
)

__all__ = [
    "SECRETS",
    "add_automatic",
    "checked_host_key",
    "checked_params",
    "connect",
    "create_credentials",
    "delete_credentials",
    "disconnect",
    "drop_foreign_connections",
    "record_attempts",
    "update_connection",
    "update_credentials",
    "usable_connections",
]
