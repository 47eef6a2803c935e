"""Parameters of credentials, validated by connector: SSH and SNMP."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.connections.drivers import ssh
from controller.connections.models import Credentials

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
