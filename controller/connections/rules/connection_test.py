"""Test of an address and a login over SSH; nothing is stored, and nothing is changed there."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from controller.accounts.models import Organization, User
from controller.base.database import release_connections
from controller.base.errors import Refused
from controller.connections.drivers.contract import Address, Login
from controller.connections.drivers.ssh import open_shell
from controller.connections.drivers.tcp import open_socket
from controller.connections.engine.device_facts import (
    READ,
    DeviceFacts,
    Need,
    file_needs,
    uci_needs,
)
from controller.connections.models import Credentials, DeviceConnection
from controller.connections.rules.device_approval import APPROVE
from controller.connections.rules.ssh_access import ssh_login

READ_SECONDS = 10.0
NOT_OFFERED = (
    "Your role may not offer a stored password to a new address. Use credentials with a private "
    "key, or enter a user name and password."
)
NEEDS: Mapping[str, Callable[[DeviceFacts], Need]] = {
    DeviceConnection.Strategy.LINUX_FILES: file_needs,
    DeviceConnection.Strategy.OPENWRT_UCI: uci_needs,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the test, with its duration and, if it failed, the reason and the cure."""

    title: str
    detail: str
    milliseconds: int = 0
    is_ok: bool = True
    cure: str = ""

    @property
    def shown(self) -> dict[str, str]:
        """Return the step as the page shows it."""
        return {
            "title": self.title, "text": self.detail, "cure": self.cure,
            "state": "good" if self.is_ok else "bad", "took": f"{self.milliseconds} ms",
        }  # fmt: skip


@dataclass(slots=True)
class ConnectionReport:
    steps: list[Step] = field(default_factory=list)
    host_key: str = ""
    facts: DeviceFacts = field(default_factory=DeviceFacts)

    @property
    def is_ok(self) -> bool:
        return bool(self.steps) and all(step.is_ok for step in self.steps)

    @property
    def shown(self) -> list[dict[str, str]]:
        return [step.shown for step in self.steps]


def usable_login(credentials: Credentials, *, by: User, organization: Organization) -> Login:
    """Return the login of stored credentials for a new address.

    Raises Refused if there is only a password, and the user may not approve devices for it.
    """
    login = ssh_login(credentials)
    if not login.password or by.has_perm_in(APPROVE, organization.pk):
        return login
    if not login.private_key:
        raise Refused({"credentials": [NOT_OFFERED]})
    return Login(login.username, None, login.private_key, login.passphrase)


def check_connection(address: Address, login: Login, strategy: str) -> ConnectionReport:
    """Connect, sign in, read the system, and check what the update strategy needs."""
    release_connections()
    return asyncio.run(_check(address, login, strategy))


async def _check(address: Address, login: Login, strategy: str) -> ConnectionReport:
    report = ConnectionReport()
    began = time.monotonic()

    def add(title: str, detail: str, *, cure: str = "", is_ok: bool = True) -> None:
        nonlocal began
        spent = int((time.monotonic() - began) * 1000)
        report.steps.append(Step(title, detail, spent, is_ok, cure))
        began = time.monotonic()

    title = "Address answers"
    try:
        (await open_socket(address)).close()
        add(title, f"TCP port {address.port} is open and speaks SSH.")
        title = f"Sign-in as {login.username}"
        async with open_shell(address, login) as shell:
            report.host_key = shell.host_key.line
            add(title, f"Host key {shell.host_key.fingerprint}")
            title = "System read"
            told = await shell.run(READ, timeout=READ_SECONDS)
    except Refused as refusal:
        add(title, str(refusal), is_ok=False)
        return report
    report.facts = facts = DeviceFacts.parse(told.stdout)
    named = ", ".join(filter(None, (facts.name, facts.os, facts.model)))
    add(title, named or "The device names no host name and no operating system.")
    if (check := NEEDS.get(strategy)) is not None:
        need = check(facts)
        add(need.title, need.problem or "Yes", cure=need.cure, is_ok=need.is_met)
    return report
