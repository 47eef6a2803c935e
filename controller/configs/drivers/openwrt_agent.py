"""Push by waking openwisp-config, which fetches, applies, tests and reports itself."""

from __future__ import annotations

import hashlib
import secrets
from shlex import quote

from controller.base.archive import unpacked
from controller.base.errors import OutcomeUnknown, Refused, Unreachable
from controller.configs.drivers.contract import Archive, Outcome
from controller.configs.engine.errors import InvalidConfig
from controller.configs.engine.uci_merge import holds, parse
from controller.connections.drivers.contract import Shell, ShellFactory

COMMAND_SECONDS = 15.0
NOT_RUNNING = 3

# Until version 1.1 the agent is openwisp_config. It forks subshells of the same name, and USR1
# would kill those: only a process whose parent has another name is the agent. If it shows under
# its interpreter's name, pgrep finds it by its command line.
WAKE = """\
all=' ' agent=
for at in /proc/[0-9]*/stat; do
    { read -r pid comm state parent _ <"$at"; } 2>/dev/null || continue
    case $comm$state in *Z) ;; '(openwisp-config)'? | '(openwisp_config)'?) all="$all$pid:$parent " ;; esac
done
for one in $all; do
    case "$all" in *" ${one#*:}:"*) ;; *) agent=${one%:*} && break ;; esac
done
[ -n "$agent" ] || agent=$(pgrep -o -f '^[^ ]*sh /usr/sbin/openwisp[-_]config') ||
    agent=$(pidof -s openwisp-config || pidof -s openwisp_config) || exit 3
kill -USR1 "$agent"
"""

READ_CHECKSUM = 'cat "${MUSTER_ROOT:-}/etc/openwisp/checksum" 2>/dev/null'
PACKAGES = "etc/config/"
READ_FILES = """\
cd "${{MUSTER_ROOT:-}}/" || exit
md5sum {files} 2>/dev/null
if command -v uci >/dev/null; then
    for package in {packages}; do
        echo "{mark} $package"
        uci -c "$PWD/etc/config" export "$package" 2>/dev/null
    done
fi
echo "{mark} end"
"""


class OpenwrtAgent:
    async def push(self, archive: Archive, *, window: float, connect: ShellFactory) -> Outcome:
        """Wake the agent; it ignores ``window`` and has a rollback of its own."""
        try:
            async with connect() as shell:
                result = await shell.run(WAKE, timeout=COMMAND_SECONDS)
        except Unreachable as refusal:
            return Outcome("unreachable", str(refusal))
        except OutcomeUnknown as refusal:
            return Outcome("unknown", str(refusal))
        except Refused as refusal:
            return Outcome("failed", str(refusal))
        if result.exit_status == 0:
            return Outcome("woken")
        if result.exit_status == NOT_RUNNING:
            return Outcome(
                "failed",
                "The agent is not running. Start it on the device: "
                "/etc/init.d/openwisp-config start, and see logread if it stops again.",
            )
        return Outcome("failed", "The agent could not be signaled.", result.stderr.strip())

    async def verify(self, archive: Archive, *, connect: ShellFactory) -> Outcome:
        """Read the checksum stored by the agent, and check its files for changes."""
        try:
            async with connect() as shell:
                result = await shell.run(READ_CHECKSUM, timeout=COMMAND_SECONDS)
                held = result.stdout.strip()
                drift = await _drift(archive, shell) if held == archive.checksum else ()
        except Unreachable as refusal:
            return Outcome("unreachable", str(refusal))
        except Refused as refusal:
            return Outcome("unknown", str(refusal))
        if held == archive.checksum:
            reason = f"Changed on the device since: {', '.join(drift)}." if drift else ""
            return Outcome("applied", reason, drift=drift)
        return Outcome(
            "unknown",
            f"The agent holds {held or 'no config'} so far; it reports by itself when it is done.",
            holds_other=True,
        )


async def _drift(archive: Archive, shell: Shell) -> tuple[str, ...]:
    """Return files that differ from the archive; in UCI packages only our options count."""
    files = unpacked(archive.content)
    packages = {file.path: file for file in files if file.path.startswith(PACKAGES)}
    others = {file.path: file for file in files if file.path not in packages}
    mark = f"--{secrets.token_hex(8)}"
    command = READ_FILES.format(
        mark=mark,
        files=" ".join(map(quote, others)) or "/dev/null",
        packages=" ".join(quote(path.removeprefix(PACKAGES)) for path in packages),
    )
    result = await shell.run(command, timeout=COMMAND_SECONDS)
    sums, *exports = result.stdout.split(f"{mark} ")
    if not exports or exports.pop() != "end\n":
        return ()
    held = dict(line.split(None, 1)[::-1] for line in sums.splitlines() if line.strip())
    drift = [path for path, file in others.items() if held.get(path) != _md5(file.contents)]
    for one in exports:
        name, _, text = one.partition("\n")
        path = PACKAGES + name
        if not _is_held(text, packages[path].contents):
            drift.append(path)
    return tuple(sorted(drift))


def _md5(contents: bytes) -> str:
    return hashlib.md5(contents, usedforsecurity=False).hexdigest()


def _is_held(export: str, ours: bytes) -> bool:
    try:
        return holds(parse(export), parse(ours.decode()))
    except InvalidConfig:
        # Unreadable packages cannot be compared; the agent would have refused them.
        return True
