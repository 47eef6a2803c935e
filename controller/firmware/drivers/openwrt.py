"""Upgrade of OpenWrt by sysupgrade over SSH.

Nothing is written to flash before everything was checked on the device. Exit statuses are
judged, never words: a successful flash ends with a lost connection or the status 10 of ubus.
"""

import re
from pathlib import Path

from controller.base.errors import OutcomeUnknown, Refused, Unreachable
from controller.connections.drivers.contract import Shell, ShellFactory
from controller.firmware.drivers.backup import back_up
from controller.firmware.drivers.contract import (
    Attempt,
    BeforeFlash,
    End,
    Hooks,
    NotFit,
    Phase,
    UpgradeOrder,
    words,
)
from controller.firmware.drivers.transfer import FILE, transfer
from controller.firmware.engine.matching import Mismatch, mismatches
from controller.firmware.engine.options import Options
from controller.firmware.engine.reports import SystemReport, parse_report

PROBE = Path(__file__).with_name("probe.sh").read_text()
SERVICES = Path(__file__).with_name("services.sh").read_text()
ROOT = "${MUSTER_ROOT:-}"
TMP = f"{ROOT}/tmp"  # noqa: S108 - of the device, where it is memory of root alone
MARKER = f"{ROOT}/root/.muster-upgrade-"
COMMAND_SECONDS = 30.0
TEST_SECONDS = 120.0
FLASH_SECONDS = 90.0
# Statuses of sysupgrade with which it certainly did not begin: its own refusals, and those of
# procd (invalid image, validation failed).
NOT_BEGUN = {1, 2, 8, 9, 126, 127}
FREE_MEMORY = (
    f'rm -rf "{TMP}/opkg-lists" "{FILE}"; sync; '
    f'echo 3 2>/dev/null >"{ROOT}/proc/sys/vm/drop_caches"; true'
)
STOP_SERVICES = f"{SERVICES}\nstop_services\n{FREE_MEMORY}"
START_SERVICES = f"{SERVICES}\nstart_services"


async def read_system(shell: Shell) -> SystemReport:
    """Read the device's facts, without changes."""
    result = await shell.run("sh -s", stdin=PROBE.encode(), timeout=COMMAND_SECONDS)
    return parse_report(result.stdout)


async def upgrade(order: UpgradeOrder, connect: ShellFactory, hooks: Hooks) -> Attempt:
    """Check, send, verify and flash; return the outcome."""
    try:
        async with connect() as shell:
            return await _upgrade(order, shell, hooks)
    except NotFit as error:
        return Attempt(End.ABORTED, str(error))
    except Refused as error:
        # The flash itself handles a lost connection, so nothing was written.
        return Attempt(End.RETRY, str(error))


async def _upgrade(order: UpgradeOrder, shell: Shell, hooks: Hooks) -> Attempt:
    await hooks.on_phase(Phase.PREPARING, "Connected; checking the device.")
    report = await read_system(shell)
    if _is_installed(order, report):
        return Attempt(End.NOT_NEEDED, "The device runs this image already.", report)
    report = await _check(order, shell, report, hooks)
    try:
        await back_up(order, shell, report, hooks)
        await hooks.on_phase(Phase.SENDING, f"Sending {order.size} bytes.")
        way = await transfer(order, shell, hooks)
        await hooks.on_phase(Phase.VERIFYING, f"{way} Verifying it on the device.")
        await _verify(order, shell)
        before = BeforeFlash(report, await _mark(order, shell))
        is_allowed = await hooks.may_flash(before)
    except BaseException:
        await _clean(order, shell)
        raise
    if not is_allowed:
        await _clean(order, shell)
        return Attempt(End.TAKEN_OVER, "Nothing was written.", report)
    return await _flash(order, shell, report)


def _is_installed(order: UpgradeOrder, report: SystemReport) -> bool:
    """Return whether the device runs the image: by its checksum file and its revision.

    The file alone proves nothing, as it survives an upgrade that somebody made by hand.
    """
    is_same = not order.revision or order.revision == report.revision
    return report.checksum == order.sha256 and is_same


async def _check(
    order: UpgradeOrder, shell: Shell, report: SystemReport, hooks: Hooks
) -> SystemReport:
    """Return the facts of the device; raise NotFit with every reason against the image."""
    if report.agent_id and report.agent_id.replace("-", "").lower() != order.device_id:
        raise NotFit(f"Another device answers at this address: its agent is {report.agent_id}.")
    await _check_flags(shell, order.options)
    found = _mismatches(order, report)
    for command, text in _ways_to_free(order):
        if not found or not {one.code for one in found} <= {"memory", "tmp"}:
            break
        await hooks.note(text)
        await shell.run(command, timeout=COMMAND_SECONDS)
        report = await read_system(shell)
        found = _mismatches(order, report)
    if found:
        await _start_services(order, shell)
        raise NotFit(" ".join(one.text for one in found))
    return report


def _mismatches(order: UpgradeOrder, report: SystemReport) -> list[Mismatch]:
    return mismatches(
        order.image, report.facts, order.options, signatures=order.signatures, is_now=True
    )


def _ways_to_free(order: UpgradeOrder) -> list[tuple[str, str]]:
    """Return commands that free memory, the harmless one first, and what to say of each."""
    ways = [(FREE_MEMORY, "Memory is short: clearing caches.")]
    if "stop_services" in order.options.switches:
        text = "Memory is short: stopping services. They start again within 20 minutes."
        ways.append((STOP_SERVICES, text))
    return ways


async def _start_services(order: UpgradeOrder, shell: Shell) -> None:
    """Start stopped services; if the connection is lost, they start by themselves."""
    if "stop_services" in order.options.switches:
        try:
            await shell.run(START_SERVICES, timeout=COMMAND_SECONDS)
        except Refused:
            return


async def _check_flags(shell: Shell, options: Options) -> None:
    if not options.flags:
        return
    shown = await shell.run("sysupgrade --help 2>&1", timeout=COMMAND_SECONDS)
    for flag in options.flags:
        if not re.search(rf"^\s*-{flag}\b", shown.stdout, re.MULTILINE):
            raise NotFit(f"The sysupgrade of the device has no option -{flag}.")


async def _verify(order: UpgradeOrder, shell: Shell) -> None:
    result = await shell.run(f'sha256sum "{FILE}"', timeout=TEST_SECONDS)
    found = result.stdout.split(" ")[0].strip()
    if found != order.sha256:
        raise Unreachable(
            f"The image on the device has the checksum {found or 'none'}, not {order.sha256}: "
            "it was damaged on the way."
        )
    flags = order.options.arguments
    result = await shell.run(f'sysupgrade -T {flags} "{FILE}" 2>&1', timeout=TEST_SECONDS)
    if result.exit_status:
        raise NotFit(f"The device refuses the image: {words(result)}")


async def _mark(order: UpgradeOrder, shell: Shell) -> bool:
    """Create a marker file that flashing removes; return whether it is reliable."""
    if "o" in order.options.flags:
        return False
    name = f"{MARKER}{order.id}"
    command = (
        f'mkdir -p "{ROOT}/root" && : >"{name}" && '
        f'! sysupgrade -l 2>/dev/null | grep -q "muster-upgrade" || {{ rm -f "{name}"; false; }}'
    )
    result = await shell.run(command, timeout=COMMAND_SECONDS)
    return result.exit_status == 0


async def _clean(order: UpgradeOrder, shell: Shell) -> None:
    """Remove temporary files from the device; ignore a lost connection."""
    await _start_services(order, shell)
    try:
        await shell.run(f'rm -f "{FILE}" "{MARKER}{order.id}"', timeout=COMMAND_SECONDS)
    except Refused:
        return


async def _flash(order: UpgradeOrder, shell: Shell, report: SystemReport) -> Attempt:
    # Without this file the agent fetches its configuration again.
    command = f'rm -f "{ROOT}/etc/openwisp/checksum"; sysupgrade {order.options.arguments} "{FILE}" 2>&1'
    try:
        result = await shell.run(command, timeout=FLASH_SECONDS)
    except OutcomeUnknown:
        return Attempt(End.ORDERED, "The connection ended, as it does when flashing.", report)
    if result.exit_status in NOT_BEGUN:
        await _clean(order, shell)
        return Attempt(
            End.REFUSED, f"The device refused to flash the image: {words(result)}", report
        )
    return Attempt(End.ORDERED, f"sysupgrade ended with {result.exit_status}.", report)


async def finish(shell: Shell, *, sha256: str) -> None:
    """Note on the device which image it runs, for this and other upgraders."""
    await shell.run(
        f'mkdir -p "{ROOT}/etc/openwisp" && echo {sha256} >"{ROOT}/etc/openwisp/firmware_checksum"'
        f'; rm -f "{MARKER}"*',
        timeout=COMMAND_SECONDS,
    )
