"""Onboarding of devices that the portal reaches over SSH: device, login and first templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from controller.accounts.models import Organization, User
from controller.base.errors import NotPermitted, Refused
from controller.configs.models import Backend, Template
from controller.configs.rules.devices import create_device
from controller.configs.rules.push_queue import enqueue
from controller.configs.rules.templates import create_template
from controller.connections.models import Credentials
from controller.connections.rules import connect, create_credentials
from controller.connections.rules.connection_test import ConnectionReport
from controller.connections.rules.device_approval import APPROVE
from controller.devices.models import Device
from controller.devices.rules import set_approved

NO_MAC = "The device told no MAC address. Enter the one of its primary interface."
EXAMPLE = "Welcome message"
EXAMPLE_CONFIG = {
    "files": [
        {
            "path": "/etc/motd",
            "mode": "0644",
            "contents": "Welcome to {{ name }}. Muster manages the configuration of this device.\n",
        }
    ]
}


@dataclass(frozen=True, slots=True)
class SshLogin:
    """Stored credentials, or a new login that is stored with the device."""

    credentials: Credentials | None = None
    params: Mapping[str, Any] | None = None


def example_template(organization: Organization, *, by: User) -> Template:
    """Return the organization's example template, which writes /etc/motd; create it if needed."""
    found: Template | None = Template.objects.filter(
        organization=organization, name=EXAMPLE
    ).first()
    if found is not None:
        return found
    if not by.has_perm_in("template:create", organization.pk):
        raise NotPermitted(
            gettext("Your role may not create templates. Choose an existing template.")
        )
    return create_template(
        organization=organization, name=EXAMPLE, backend=Backend.OPENWRT, config=EXAMPLE_CONFIG
    )


@transaction.atomic
def add_ssh_device(
    *,
    by: User,
    login: SshLogin,
    report: ConnectionReport,
    strategy: str,
    port: int,
    templates: Sequence[Template] = (),
    example: bool = False,
    **values: Any,
) -> Device:
    """Add a device with a connection and a configuration, and queue its first push.

    Name and MAC address are taken from the report where they are not given. Raises Refused if
    a value is invalid, and NotPermitted if the user lacks a permission.
    """
    organization = values["organization"]
    _check_permissions(by, organization)
    values = _completed(values, report)
    chosen = [*templates, *([example_template(organization, by=by)] if example else [])]
    device = create_device(config={"backend": Backend.OPENWRT, "templates": chosen}, **values)
    is_typed = login.credentials is None
    credentials = login.credentials or create_credentials(
        organization=organization,
        name=_free_name(
            organization, f"{(login.params or {}).get('username')} on {device.name}"
        ),
        params=login.params or {},
    )
    if not is_typed and not by.has_perm_in(APPROVE, organization.pk):
        set_approved(device, approved=False)
    connection = connect(
        device, credentials=credentials, update_strategy=strategy, host_key=report.host_key,
        port=port if port != credentials.params.get("port", 22) else None,
    )  # fmt: skip
    if connection.host_key and device.is_approved:
        connection.is_host_key_trusted = True
        connection.save(update_fields=["is_host_key_trusted"])
    enqueue([device.config.pk])
    return device


def _check_permissions(by: User, organization: Organization) -> None:
    for permission in ("device:create", "config:create", "connection:create"):
        if not by.has_perm_in(permission, organization.pk):
            raise NotPermitted(
                gettext("Permission denied: requires '%(permission)s'")
                % {"permission": permission}
            )


def _completed(values: Mapping[str, Any], report: ConnectionReport) -> dict[str, Any]:
    facts = report.facts
    name = values.get("name") or facts.name or str(values["management_ip"])
    mac_address = values.get("mac_address") or facts.mac
    if not mac_address:
        raise Refused({"mac_address": [NO_MAC]})
    told = {"os": facts.os[:128], "model": facts.model[:64]}
    return told | dict(values) | {"name": name, "mac_address": mac_address}


def _free_name(organization: Organization, wanted: str) -> str:
    taken = set(
        Credentials.objects.filter(organization=organization).values_list("name", flat=True)
    )
    name, number = wanted[:60], 2
    while name in taken:
        name, number = f"{wanted[:56]} {number}", number + 1
    return name
