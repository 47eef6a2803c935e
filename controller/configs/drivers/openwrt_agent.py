"""Push by waking openwisp-config, which fetches, applies, tests and reports by itself."""

from __future__ import annotations

from controller.base.errors import OutcomeUnknown, Refused, Unreachable
from controller.configs.drivers.contract import Archive, Outcome
from controller.connections.drivers.contract import ShellFactory

COMMAND_SECONDS = 15.0
NOT_RUNNING = 3

# The agent forks subshells of the same name, and USR1 would kill such a one: only the process
# whose parent is not named so is the agent. Where it shows under its interpreter's name,
# pgrep finds it by its command line.
WAKE = """\
name=openwisp-config all=' ' agent=
for at in /proc/[0-9]*/stat; do
    { read -r pid comm state parent _ <"$at"; } 2>/dev/null || continue
    case $comm$state in "($name)Z") ;; "($name)"?) all="$all$pid:$parent " ;; esac
done
for one in $all; do
    case "$all" in *" ${one#*:}:"*) ;; *) agent=${one%:*} && break ;; esac
done
[ -n "$agent" ] || agent=$(pgrep -o -f "^[^ ]*sh /usr/sbin/$name" || pidof -s "$name") || exit 3
kill -USR1 "$agent"
"""

READ_CHECKSUM = 'cat "${MUSTER_ROOT:-}/etc/openwisp/checksum" 2>/dev/null'


class OpenwrtAgent:
    async def push(self, archive: Archive, *, window: float, connect: ShellFactory) -> Outcome:
        """Wake the agent; ``window`` is the agent's own affair."""
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
        """Read the checksum that the agent keeps of what it last applied."""
        try:
            async with connect() as shell:
                result = await shell.run(READ_CHECKSUM, timeout=COMMAND_SECONDS)
        except Unreachable as refusal:
            return Outcome("unreachable", str(refusal))
        except Refused as refusal:
            return Outcome("unknown", str(refusal))
        held = result.stdout.strip()
        if held == archive.checksum:
            return Outcome("applied")
        return Outcome(
            "unknown",
            f"The agent holds {held or 'no config'} so far; it reports by itself when it is done.",
        )
