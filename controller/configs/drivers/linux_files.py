"""Commit-confirmed push of files to any Linux by SSH; linux/ has the device side."""

from __future__ import annotations

import asyncio
import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from shlex import quote

from controller.base.errors import OutcomeUnknown, Refused, Unreachable
from controller.configs.drivers.contract import Archive, Outcome
from controller.connections.drivers.contract import Result, ShellFactory

START_SECONDS = 10.0
SLOWEST_UPLOAD = 16 * 1024
"""Bytes a second."""
CONFIRM_SECONDS = 10.0
HOOKS_SECONDS = 120.0
"""How long a device may say that it is still applying, before we stop asking."""
GRACE_SECONDS = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0

# Where the device keeps its state; on OpenWrt /var is memory, which a restart empties.
STATE = (
    "s=${MUSTER_ROOT:-}/var/lib/muster; "
    '[ ! -L "${MUSTER_ROOT:-}/var" ] || s=${MUSTER_ROOT:-}/etc/muster/push'
)
# sh -c, because the login shell may be any; umask, because archives contain secrets.
START = (
    f"exec sh -c 'umask 077; {STATE}; d=$s/incoming.$$; "
    'mkdir -p "$d/stage" && cd "$d" && tar xf - && set -- start "$@" && . ./push.sh\' push'
)
ASK = (
    f'exec sh -c \'{STATE}; cd "$s" 2>/dev/null && [ -f push.sh ] || {{ echo state: none; exit; }}; '
    ". ./push.sh' push"
)

# Of the time that a device waits for a confirmation, it may take this part to be in effect; and
# how long it is left alone where it could not tell how long it takes.
SHARE, UNTOLD = 3, 0.1
KILLED = 128
"""Exit statuses from here on are signals: the runner may have outlived its session."""
AT_WORK = ("preparing", "applying", "restoring")


@dataclass(frozen=True, slots=True)
class Answer:
    """Parsed output of the script on the device."""

    state: str = ""
    checksum: str = ""
    applied: str = ""
    reason: str = ""
    log: str = ""
    drift: tuple[str, ...] = ()
    settles: float = 0.0
    """Seconds until what is applied is in effect."""

    @classmethod
    def read(cls, result: Result) -> Answer:
        values: dict[str, list[str]] = {}
        for line in result.stdout.splitlines():
            key, _, value = line.partition(": ")
            values.setdefault(key.rstrip(":"), []).append(value)
        if "state" not in values:
            return cls(reason=_complaint(result))
        return cls(
            state=values["state"][-1],
            checksum=_last(values.get("checksum")),
            applied=_last(values.get("applied")),
            reason=_last(values.get("reason")),
            log="\n".join(values.get("log", ())),
            drift=tuple(values.get("drift", ())),
            settles=_seconds(_last(values.get("settles"))),
        )


class LinuxFiles:
    def __init__(self, *, grace: float = GRACE_SECONDS) -> None:
        self.grace = grace

    async def push(self, archive: Archive, *, window: float, connect: ShellFactory) -> Outcome:
        """Upload and start with one command, then confirm over a new connection."""
        bundle = pack(archive)
        patience = START_SECONDS + len(bundle) / SLOWEST_UPLOAD
        try:
            async with connect() as shell:
                command = start_command(archive, window)
                started = await shell.run(command, stdin=bundle, timeout=patience)
        except Unreachable as refusal:
            return Outcome("unreachable", str(refusal))
        except OutcomeUnknown:
            # A new network configuration often cuts this connection.
            return await self._confirm(archive, window, connect, UNTOLD)
        except Refused as refusal:
            return Outcome("failed", str(refusal))
        answer = Answer.read(started)
        killed = not answer.state and started.exit_status >= KILLED
        if killed or answer.state in ("waiting", "unknown"):
            settles = min(answer.settles, window / SHARE) if answer.state else UNTOLD
            return await self._confirm(archive, window, connect, settles)
        return _settled(answer, archive)

    async def verify(self, archive: Archive, *, connect: ShellFactory) -> Outcome:
        """Query the push state, and files changed on the device since."""
        try:
            answer = await _ask("status", connect)
        except Unreachable as refusal:
            return Outcome("unreachable", str(refusal))
        except Refused as refusal:
            return Outcome("unknown", str(refusal))
        if answer.state in (*AT_WORK, "waiting"):
            return Outcome("unknown", f"The device is still at it: {answer.state}.", answer.log)
        if not answer.state:
            return Outcome("unknown", answer.reason)
        return _settled(answer, archive)

    async def _confirm(
        self, archive: Archive, window: float, connect: ShellFactory, settles: float
    ) -> Outcome:
        """Confirm over a new connection, once what was applied is in effect."""
        now = asyncio.get_running_loop().time
        latest = now() + HOOKS_SECONDS
        deadline = now() + window + self.grace
        pause, trouble, is_proven = FIRST_PAUSE, "", not settles
        await asyncio.sleep(settles)
        while now() < deadline:
            verb = f"confirm {quote(archive.checksum)}" if is_proven else "status"
            try:
                answer = await _ask(verb, connect)
            except Refused as refusal:
                trouble = str(refusal)
            else:
                if answer.state == "waiting" and not is_proven:
                    # It answers when all is in effect; it is kept if it still does after a while.
                    is_proven = True
                    await asyncio.sleep(min(answer.settles, window / SHARE))
                    continue
                if answer.state not in (*AT_WORK, "waiting", ""):
                    return _settled(answer, archive)
                if answer.state in AT_WORK:
                    deadline = min(now() + window + self.grace, latest)
                trouble = answer.reason or f"it is still {answer.state}."
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        return Outcome(
            "unknown",
            f"The config was sent, but the device could not confirm it: {trouble} Unless it "
            f"is confirmed, the device goes back to its former files after {window:g} s.",
        )


def start_command(archive: Archive, window: float) -> str:
    """Return the command that unpacks and starts a push; its stdin is from ``pack``."""
    return f"{START} {quote(archive.checksum)} {window:g} {quote(archive.md5)}"


def pack(archive: Archive) -> bytes:
    """Pack the device script and the archive into one tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as bundle:
        for name, content in (("push.sh", _script()), ("archive.tar.gz", archive.content)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o600
            bundle.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _settled(answer: Answer, archive: Archive) -> Outcome:
    if answer.state == "busy":
        return Outcome("busy", "Another push is at work on the device. Try again later.")
    if answer.checksum == archive.checksum and answer.state != "applied":
        return Outcome("failed", answer.reason, answer.log)
    if archive.checksum in (answer.applied, answer.checksum):
        return Outcome("applied", _drifted(answer.drift), answer.log, answer.drift)
    if not answer.state:
        return Outcome("failed", answer.reason)
    held = answer.applied or (answer.checksum if answer.state == "applied" else "")
    holds = f"holds the config {held}" if held else "holds no config of ours"
    return Outcome(
        "absent",
        f"The config {archive.checksum} never arrived: the device {holds}. Push again.",
        holds_other=True,
    )


def _drifted(drift: tuple[str, ...]) -> str:
    return f"Changed on the device since: {', '.join(drift)}." if drift else ""


async def _ask(verb: str, connect: ShellFactory) -> Answer:
    async with connect() as shell:
        return Answer.read(await shell.run(f"{ASK} {verb}", timeout=CONFIRM_SECONDS))


@cache
def _script() -> bytes:
    """Join all parts of the script, with its version hash as second line."""
    folder = resources.files(__package__).joinpath("linux")
    parts = sorted(folder.iterdir(), key=lambda part: part.name)
    first, rest = b"\n".join(part.read_bytes() for part in parts).split(b"\n", 1)
    version = hashlib.sha256(rest).hexdigest()
    return b"\n".join((first, b"# " + version.encode(), rest))


def _complaint(result: Result) -> str:
    said = _last(result.stderr.strip().splitlines()) or "it said nothing"
    return (
        f"The device could not run the push (exit status {result.exit_status}): {said}. It "
        "needs sh, tar with gzip, awk and md5sum, and room in /var/lib/muster (on OpenWrt in "
        "/etc/muster/push)."
    )


def _last(values: Iterable[str] | None) -> str:
    return (list(values or ()) or [""])[-1]


def _seconds(milliseconds: str) -> float:
    return int(milliseconds) / 1000 if milliseconds.isdigit() else 0.0
