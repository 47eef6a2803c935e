"""Updates of Debian hosts by apt over SSH.

All is simulated and downloaded first. The installation itself runs on the host by itself, once, so
that a lost connection or a dead worker breaks nothing; afterwards the host is only asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Protocol

from controller.base.errors import OutcomeUnknown, Refused, Unreachable
from controller.connections.drivers.contract import Result, Shell, ShellFactory
from controller.firmware.drivers.contract import Attempt, End, NotFit, Phase, words
from controller.firmware.engine.apt import (
    SECURITY,
    HostReport,
    Plan,
    PlannedPackage,
    parse_host,
    parse_plan,
)
from controller.firmware.engine.reports import SystemReport

PROBE = Path(__file__).with_name("apt_probe.sh").read_text()
INSTALL = Path(__file__).with_name("apt_install.sh").read_text()
FOLDER = "${MUSTER_ROOT:-}/var/lib/muster"
APT = "LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -q"
# Kept files of the host win; packages that ask nothing else take their defaults.
KEEP_FILES = "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
WAIT_SECONDS = 300
LOCK = f"-o DPkg::Lock::Timeout={WAIT_SECONDS}"
COMMAND_SECONDS = 30.0
APT_SECONDS = 120.0
UPDATE_SECONDS = 300.0
DOWNLOAD_SECONDS = 1800.0


@dataclass(frozen=True)
class PackageOrder:
    """Updates for one host."""

    id: str
    """The caller's own, in hexadecimal digits; it names the folder on the host."""
    which: str
    """Either ``security`` or ``all``."""
    may_restart: bool = False


class PackageHooks(Protocol):
    """Callbacks of an update to its caller."""

    async def on_phase(self, phase: Phase, text: str) -> None:
        """Record that a phase begins."""

    async def note(self, text: str) -> None:
        """Add a line to the log."""

    async def may_install(self, host: HostReport, packages: Sequence[PlannedPackage]) -> bool:
        """Keep the plan, and return whether the host may be told to install it.

        Asked once, immediately before; False if the update was cancelled meanwhile.
        """


async def read_host(shell: Shell, order_id: str = "", names: Sequence[str] = ()) -> HostReport:
    """Read a host's facts and the status of its installation, without changes."""
    arguments = " ".join(quote(one) for one in (order_id or "none", *names))
    command = f"sh -s -- {arguments}"
    result = await shell.run(command, stdin=PROBE.encode(), timeout=COMMAND_SECONDS)
    return parse_host(result.stdout)


def system_report(host: HostReport) -> SystemReport:
    return SystemReport(distribution=host.system, version=host.version, boot_id=host.boot_id)


async def update(order: PackageOrder, connect: ShellFactory, hooks: PackageHooks) -> Attempt:
    """Simulate, download and start the installation; return the outcome."""
    try:
        async with connect() as shell:
            return await _update(order, shell, hooks)
    except NotFit as error:
        return Attempt(End.ABORTED, str(error))
    except Refused as error:
        # The start of the installation itself handles a lost connection.
        return Attempt(End.RETRY, str(error))


async def _update(order: PackageOrder, shell: Shell, hooks: PackageHooks) -> Attempt:
    await hooks.on_phase(Phase.PREPARING, "Connected; checking the host.")
    host = await read_host(shell)
    _check(host)
    await _apt(shell, "-o APT::Update::Error-Mode=any update", UPDATE_SECONDS)
    plan = await _plan(order, shell)
    await _tell(host, plan, hooks)
    report = system_report(host)
    if not plan.packages:
        return Attempt(End.NOT_NEEDED, "There is no update for the host.", report)
    chosen = arguments_of(plan)
    await hooks.on_phase(Phase.SENDING, f"Downloading {len(plan.packages)} packages.")
    await _apt(shell, f"-y --download-only {LOCK} {chosen}", DOWNLOAD_SECONDS)
    await hooks.on_phase(Phase.VERIFYING, "Waiting for the lock of dpkg.")
    await _apt(shell, f"{LOCK} check", WAIT_SECONDS + APT_SECONDS)
    if not await hooks.may_install(host, plan.packages):
        return Attempt(End.TAKEN_OVER, "Nothing was installed.", report)
    return await _start(order, shell, chosen, report)


def _check(host: HostReport) -> None:
    if not host.has_apt:
        raise NotFit(f"The host runs {host.title}, which has no apt-get.")
    if host.user != "0":
        raise NotFit("apt-get needs root, and the portal signs in as another user.")
    if host.audit:
        raise NotFit(f"Packages of the host are half installed: {host.audit}")


async def _apt(shell: Shell, arguments: str, seconds: float) -> Result:
    """Run apt-get; raise Unreachable if it fails, as nothing was installed yet."""
    result = await shell.run(f"{APT} {arguments}", timeout=seconds)
    if result.exit_status:
        raise Unreachable(f"apt-get ended with {result.exit_status}: {words(result)}")
    return result


async def _plan(order: PackageOrder, shell: Shell) -> Plan:
    """Return the desired packages, by a simulation; raise NotFit for a bad one."""
    plan = await _simulate(shell, "upgrade --with-new-pkgs")
    if order.which == SECURITY:
        chosen = plan.only_security()
        if not chosen:
            return Plan(kept_back=plan.kept_back)
        found = await _simulate(shell, _named(chosen))
        plan = Plan(found.packages, found.removed, plan.kept_back)
    if plan.removed:
        raise NotFit(f"apt-get would remove {', '.join(plan.removed)}; that takes a person.")
    return plan


async def _simulate(shell: Shell, arguments: str) -> Plan:
    """Return apt-get's plan from a simulation; raise NotFit if there is none."""
    result = await shell.run(f"{APT} -s {arguments}", timeout=APT_SECONDS)
    if result.exit_status:
        raise NotFit(f"apt-get finds no way: {words(result)}")
    try:
        return parse_plan(result.stdout)
    except ValueError as error:
        raise NotFit(str(error)) from error


async def _tell(host: HostReport, plan: Plan, hooks: PackageHooks) -> None:
    if host.held:
        await hooks.note(f"Held on the host, and left alone: {', '.join(host.held)}.")
    kept = [one for one in plan.kept_back if one not in host.held]
    if kept:
        await hooks.note(f"Kept back by apt-get: {', '.join(kept)}.")
    if plan.packages:
        await hooks.note(f"To be installed: {'; '.join(map(str, plan.packages))}.")


def arguments_of(plan: Plan) -> str:
    """Return the arguments of apt-get for exactly the packages of the plan."""
    return f"--no-remove {KEEP_FILES} {_named(plan.packages)}"


def _named(packages: Sequence[PlannedPackage]) -> str:
    names = " ".join(quote(f"{one.name}={one.new}") for one in packages)
    return f"install -- {names}"


async def _start(
    order: PackageOrder, shell: Shell, chosen: str, report: SystemReport
) -> Attempt:
    """Start the installation on the host, at most once."""
    may_restart = "yes" if order.may_restart else "no"
    folder = f'"{FOLDER}/packages-{order.id}"'
    command = (
        f'umask 077; mkdir -p "{FOLDER}" && mkdir {folder} && cat >{folder}/run.sh && '
        f"{{ setsid sh {folder}/run.sh {folder} {may_restart} -y {LOCK} {chosen} "
        "</dev/null >/dev/null 2>&1 & }"
    )
    try:
        result = await shell.run(command, stdin=INSTALL.encode(), timeout=COMMAND_SECONDS)
    except OutcomeUnknown:
        return Attempt(End.ORDERED, "The connection ended when it was told to install.", report)
    if result.exit_status:
        return Attempt(End.REFUSED, f"The host could not begin: {words(result)}", report)
    return Attempt(End.ORDERED, "The host installs by itself.", report)


async def finish(shell: Shell, order_id: str) -> None:
    """Remove temporary files from the host."""
    await shell.run(f'rm -rf "{FOLDER}/packages-{order_id}"', timeout=COMMAND_SECONDS)
