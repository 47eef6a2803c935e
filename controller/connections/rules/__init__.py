"""Rules of credentials and device connections."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Case, Q, When
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.errors import Conflict, Refused
from controller.connections.drivers import ssh
from controller.connections.drivers.contract import HostKey
from controller.connections.models import Credentials, DeviceConnection
from controller.devices.models import Device
from controller.devices.rules import set_approved

SECRETS = (
    "password", "key", "passphrase", "community", "auth_password", "privacy_password",
)  # fmt: skip
NAMES = {
    Credentials.Connector.SSH: {"username", "port", "password", "key", "passphrase"},
    Credentials.Connector.SNMP: {
        "version",
        "port",
        "community",
        "username",
        "auth_protocol",
        "auth_password",
        "privacy_protocol",
        "privacy_password",
        "context",
    },
    Credentials.Connector.OPENWRT_SNMP: {"community", "agent", "port"},
    Credentials.Connector.AIROS_SNMP: {"community", "agent", "port"},
}
LARGEST_PORT = 65535
SSH_PORT, SNMP_PORT = 22, 161
SNMP_VERSIONS = ("2c", "3")
AUTH_PROTOCOLS = ("MD5", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512")
PRIVACY_PROTOCOLS = ("DES", "AES", "AES-192", "AES-256")
SHORTEST_SNMP_PASSWORD = 8
LONGEST_NAME = 256


@transaction.atomic
def create_credentials(*, params: Mapping[str, Any], **values: Any) -> Credentials:
    credentials = Credentials(**values)
    credentials.params = checked_params(params, credentials.connector)
    credentials.checked().save()
    if credentials.auto_add:
        _add_to_all(credentials)
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
        _add_to_all(credentials)
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


def checked_params(
    params: object, connector: str = Credentials.Connector.SSH
) -> dict[str, Any]:
    """Validate parameters of a connector; raise Refused with errors under ``params``."""
    if not isinstance(params, dict):
        raise Refused(
            {"params": [gettext("An object with username and password or key is expected.")]}
        )
    allowed = NAMES[Credentials.Connector(connector)]
    unknown = params.keys() - allowed
    problems = [f"There is no parameter {name!r}." for name in sorted(unknown)]
    port = params.get("port", 22)
    if not isinstance(port, int) or isinstance(port, bool) or not 0 < port <= LARGEST_PORT:
        problems.append("port: a whole number from 1 to 65535 is expected.")
    secrets = {name: params.get(name) for name in SECRETS if params.get(name) is not None}
    problems += [
        f"{name}: text is expected." for name, text in secrets.items() if type(text) is not str
    ]
    is_ssh = connector == Credentials.Connector.SSH
    problems += PROBLEMS.get(Credentials.Connector(connector), _problems_of_kept_snmp)(params)
    if problems:
        raise Refused({"params": problems})
    if is_ssh and params.get("key"):
        why = ssh.why_not_a_key(params["key"], params.get("passphrase"))
        if why:
            raise Refused({"params": [gettext("key: %(why)s") % {"why": why}]})
    return dict(params)


def _problems_of_ssh(params: Mapping[str, Any]) -> list[str]:
    problems = []
    username = params.get("username")
    if not isinstance(username, str) or not 1 <= len(username) <= LONGEST_NAME:
        problems.append("username: a user name of the device is required.")
    if not (params.get("password") or params.get("key")):
        problems.append("Either password or key (a private key) is required.")
    return problems


def _problems_of_snmp(params: Mapping[str, Any]) -> list[str]:
    version = params.get("version", "2c")
    if version not in SNMP_VERSIONS:
        return ["version: 2c or 3 is expected."]
    if version == "2c":
        is_given = isinstance(params.get("community"), str) and params["community"]
        return [] if is_given else ["community: text is required."]
    problems = []
    username = params.get("username")
    if not isinstance(username, str) or not 1 <= len(username) <= LONGEST_NAME:
        problems.append("username: a user name of the agent is required.")
    problems += _problems_of_protocol(params, "auth", AUTH_PROTOCOLS)
    problems += _problems_of_protocol(params, "privacy", PRIVACY_PROTOCOLS)
    if params.get("privacy_password") and not params.get("auth_password"):
        problems.append("privacy_password: there is no privacy without auth_password.")
    return problems


def _problems_of_protocol(
    params: Mapping[str, Any], kind: str, known: Sequence[str]
) -> list[str]:
    password, protocol = params.get(f"{kind}_password"), params.get(f"{kind}_protocol")
    if protocol and protocol not in known:
        return [f"{kind}_protocol: one of {', '.join(known)} is expected."]
    if not password:
        return []
    problems = [] if protocol else [f"{kind}_protocol: one of {', '.join(known)} is required."]
    if len(str(password)) < SHORTEST_SNMP_PASSWORD:
        problems.append(
            f"{kind}_password: at least {SHORTEST_SNMP_PASSWORD} characters are expected."
        )
    return problems


def _problems_of_kept_snmp(params: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: text is required."
        for name in ("community", "agent")
        if not isinstance(params.get(name), str) or not params[name]
    ]


PROBLEMS = {
    Credentials.Connector.SSH: _problems_of_ssh,
    Credentials.Connector.SNMP: _problems_of_snmp,
}


@transaction.atomic
def connect(device: Device, *, credentials: Credentials, **values: Any) -> DeviceConnection:
    """Create a device connection with these credentials and update strategy."""
    if credentials.organization_id not in {None, device.organization_id}:
        raise Refused(
            {
                "credentials": [
                    gettext(
                        "The organization of the device and of the credentials do not match."
                    )
                ]
            }
        )
    values.setdefault("update_strategy", DeviceConnection.Strategy.OPENWRT_AGENT)
    values["host_key"] = checked_host_key(values.get("host_key", ""))
    connection = DeviceConnection(device=device, credentials=credentials, **values).checked()
    connection.save()
    return connection


@transaction.atomic
def update_connection(connection: DeviceConnection, **values: Any) -> DeviceConnection:
    """Change a connection.

    Another port or host key than before, and the device is offered no password until it is
    approved: whoever answers then may be another one.
    """
    before: DeviceConnection = DeviceConnection.objects.select_for_update(of=("self",)).get(
        pk=connection.pk
    )
    if "host_key" in values:
        values["host_key"] = checked_host_key(values["host_key"])
    for name, value in values.items():
        setattr(connection, name, value)
    if connection.host_key != before.host_key:
        connection.is_host_key_trusted = False
    if _leads_elsewhere(connection, before):
        set_approved(connection.device, approved=False)
    connection.checked().save()
    return connection


def _leads_elsewhere(connection: DeviceConnection, before: DeviceConnection) -> bool:
    if connection.host_key:
        return False
    return bool(before.host_key) or connection.ssh_port != before.ssh_port


def checked_host_key(line: str) -> str:
    """Return a host key as it is stored; raise Refused under ``host_key`` if it is invalid."""
    if not line.strip():
        return ""
    try:
        return HostKey.parse(line).line
    except Refused as error:
        raise Refused({"host_key": [str(error)]}) from error


def disconnect(connection: DeviceConnection) -> None:
    connection.delete()


def drop_foreign_connections(device: Device) -> None:
    """Delete connections with credentials of another organization, after a move."""
    DeviceConnection.objects.filter(device=device).exclude(
        Q(credentials__organization=None) | Q(credentials__organization=device.organization_id)
    ).delete()


def _add_to_all(credentials: Credentials) -> None:
    lacking = Device.objects.exclude(connections__credentials=credentials)
    if credentials.organization_id is not None:
        lacking = lacking.filter(organization=credentials.organization_id)
    _connect_all((pk, credentials) for pk in lacking.values_list("pk", flat=True))


def add_automatic(device: Device) -> None:
    """Connect a new device with its organization's auto-add credentials."""
    automatic = Credentials.objects.filter(
        Q(organization=device.organization_id) | Q(organization=None), auto_add=True
    )
    _connect_all((device.pk, credentials) for credentials in automatic)


def _connect_all(pairs: Iterable[tuple[UUID, Credentials]]) -> None:
    DeviceConnection.objects.bulk_create(
        (
            DeviceConnection(
                device_id=device_id,
                credentials=credentials,
                update_strategy=DeviceConnection.Strategy.OPENWRT_AGENT,
            )
            for device_id, credentials in pairs
        ),
        ignore_conflicts=True,
        batch_size=1000,
    )


def usable_connections(
    device_ids: Iterable[UUID], connector: str = Credentials.Connector.SSH
) -> dict[UUID, DeviceConnection]:
    """Return the connection to use per device: one that works, else an untried one."""
    rows = (
        DeviceConnection.objects.filter(
            device__in=device_ids,
            enabled=True,
            device__management_ip__isnull=False,
            credentials__connector=connector,
        )
        .select_related("credentials", "device")
        # The last row of a device wins. Databases differ in where NULL sorts.
        .order_by(
            "device",
            Case(When(is_working=True, then=2), When(is_working=None, then=1), default=0),
            "-created",
        )
    )
    return {row.device_id: row for row in rows}


def record_attempts(found: Mapping[UUID, tuple[str, str]]) -> None:
    """Record the last attempts in bulk: connection → (failure reason, host key seen)."""
    rows = list(DeviceConnection.objects.filter(pk__in=found).select_related("device"))
    now = timezone.now()
    for row in rows:
        reason, host_key = found[row.pk]
        row.is_working, row.failure_reason, row.last_attempt = not reason, reason, now
        if host_key and not row.host_key:
            row.host_key, row.is_host_key_trusted = host_key, row.device.is_approved
    DeviceConnection.objects.bulk_update(
        rows,
        ["is_working", "failure_reason", "last_attempt", "host_key", "is_host_key_trusted"],
        batch_size=500,
    )
