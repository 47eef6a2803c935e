"""Backup of a device's settings before the flash, streamed over SSH."""

from controller.connections.drivers.contract import Shell
from controller.firmware.drivers.contract import Hooks, NotFit, UpgradeOrder
from controller.firmware.engine.reports import SystemReport

LARGEST = 1024 * 1024
SECONDS = 60.0
GZIP = b"\x1f\x8b"


async def back_up(
    order: UpgradeOrder, shell: Shell, report: SystemReport, hooks: Hooks
) -> None:
    """Have the settings of the device stored; raise NotFit if that is required and fails."""
    if order.backup == "off":
        return
    parts: list[bytes] = []

    def collect(data: bytes) -> None:
        if sum(map(len, parts)) <= LARGEST:
            parts.append(data)

    result = await shell.run("sysupgrade -b - 2>/dev/null", timeout=SECONDS, on_output=collect)
    archive = b"".join(parts)
    reason = _why_not(result.exit_status, archive)
    if not reason:
        await hooks.keep_backup(archive, report.version)
    elif order.backup == "required":
        raise NotFit(f"Its settings could not be backed up, which is required: {reason}")
    else:
        await hooks.note(f"Its settings were not backed up: {reason}")


def _why_not(exit_status: int, archive: bytes) -> str:
    if exit_status:
        return f"sysupgrade -b ended with {exit_status}."
    if len(archive) > LARGEST:
        return f"the archive is larger than {LARGEST} bytes."
    return "" if archive.startswith(GZIP) else "the device sent no archive."
