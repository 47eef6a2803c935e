"""Credentials: create, change, delete; secrets stay when a mask comes back."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from controller.base.errors import Conflict
from controller.connections.models import Credentials
from controller.connections.rules.connections import connect_everywhere
from controller.connections.rules.credential_params import (
    SECRETS,
    SNMP_PORT,
    SSH_PORT,
    checked_params,
)


@transaction.atomic
def create_credentials(*, params: Mapping[str, Any], **values: Any) -> Credentials:
    credentials = Credentials(**values)
    credentials.params = checked_params(params, credentials.connector)
    credentials.checked().save()
    if credentials.auto_add:
        connect_everywhere(credentials)
    return credentials


@transaction.atomic
def update_credentials(credentials: Credentials, **values: Any) -> Credentials:
    """Update credentials. Secrets that ``params`` does not name are kept."""
    if "params" in values or "connector" in values:
        given = values.get("params", credentials.params)
        if isinstance(given, Mapping):
            given = _kept_secrets(credentials.params, given, credentials.connector)
        values["params"] = checked_params(given, values.get("connector", credentials.connector))
    was_automatic = credentials.auto_add
    for name, value in values.items():
        setattr(credentials, name, value)
    credentials.checked().save()
    if credentials.auto_add and not was_automatic:
        connect_everywhere(credentials)
    return credentials


def _kept_secrets(
    old: Mapping[str, Any], new: Mapping[str, Any], connector: str
) -> dict[str, Any]:
    """Return the new parameters; keep the stored secrets if the new ones name none.

    Another port may be another service: the secrets have to be given again for it.
    """
    usual = SNMP_PORT if connector == Credentials.Connector.SNMP else SSH_PORT
    moves = new.get("port", usual) != old.get("port", usual)
    if moves or any(new.get(name) for name in SECRETS):
        return dict(new)
    return {name: old[name] for name in SECRETS if name in old} | {
        name: value for name, value in new.items() if name not in SECRETS
    }


def delete_credentials(credentials: Credentials) -> None:
    if credentials.connections.exists():
        raise Conflict(
            gettext(
                "Devices are reached with these credentials. Remove their connections first."
            )
        )
    credentials.delete()
