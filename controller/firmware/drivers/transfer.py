"""Transfer of images: downloaded by the device, or sent over SSH."""

import asyncio
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

from controller.base.pacing import wait_for
from controller.connections.drivers.contract import Shell
from controller.firmware.drivers.contract import Hooks, NotFit, UpgradeOrder, words

SCRIPT = Path(__file__).with_name("download.sh").read_text()
# Of the device, where all of it is memory of root alone.
FILE = "${MUSTER_ROOT:-}/tmp/muster-firmware.bin"
COMMAND_SECONDS = 30.0
# Slowest transfer that is waited for: dropbear's window over a satellite link.
SLOWEST_BYTES = 8 * 1024
PART = 256 * 1024


async def transfer(order: UpgradeOrder, shell: Shell, hooks: Hooks) -> str:
    """Transfer the image; return the method used. Raises NotFit without free space."""
    if order.download_url and await _download(order, shell, hooks):
        return "It was downloaded from the portal."
    await _send(order, shell)
    return "It was sent over SSH."


async def _download(order: UpgradeOrder, shell: Shell, hooks: Hooks) -> bool:
    token = await hooks.issue_download()
    seconds = COMMAND_SECONDS + order.size / SLOWEST_BYTES
    command = f'sh -c {shlex.quote(SCRIPT)} sh {shlex.quote(order.download_url)} "{FILE}"'
    result = await shell.run(command, stdin=f"{token}\n".encode(), timeout=seconds)
    if result.exit_status:
        await hooks.note(f"The device could not download it: {words(result)}")
    return result.exit_status == 0


async def _send(order: UpgradeOrder, shell: Shell) -> None:
    seconds = COMMAND_SECONDS + order.size / SLOWEST_BYTES
    command = f'umask 077; cat >"{FILE}"'
    parts = paced_parts(order.path, order.lane, order.rate)
    result = await shell.run(command, feed=parts, timeout=seconds)
    if result.exit_status:
        raise NotFit(f"The device could not store the image: {words(result)}")


async def paced_parts(
    path: Path, lane: str = "", rate: int = 0, *, start: int = 0, end: int | None = None
) -> AsyncIterator[bytes]:
    """Yield the bytes of a file from ``start`` to ``end``, at most ``rate`` bytes a second.

    All transfers of one ``lane`` share its rate; without a rate nothing is held back.
    """
    with path.open("rb") as file:
        left = (path.stat().st_size if end is None else end) - start
        file.seek(start)
        while part := await asyncio.to_thread(file.read, min(PART, left)):
            left -= len(part)
            await wait_for(lane, len(part), rate)
            yield part
