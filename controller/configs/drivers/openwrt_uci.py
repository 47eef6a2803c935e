"""Push to OpenWrt without an agent: UCI packages are merged, commit-confirmed.

The packages are read over SSH, merged here, and pushed with ``linux_files``, which restores
the
former files unless the router is reached again. Our options and the original ones are
stored on
the router below ``/etc/muster/uci`` and are rolled back together with the packages.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from shlex import quote

from controller.base.archive import File, gzip, tar, unpacked
from controller.base.errors import OutcomeUnknown, Refused, Unreachable
from controller.configs.drivers.contract import Archive, Outcome
from controller.configs.drivers.linux_files import LinuxFiles
from controller.configs.engine.errors import InvalidConfig
from controller.configs.engine.uci_merge import Package, holds, merge, parse, written
from controller.connections.drivers.contract import ShellFactory

PACKAGES = "etc/config/"
KEPT = "etc/muster/uci/"
LOOK_SECONDS = 30.0
NO_UCI = 3

# Runs after every push and rollback: checks that changed packages parse, and notifies services.
HOOK = """\
#!/bin/sh
for path in $MUSTER_CHANGED; do
    case $path in etc/config/*) ;; *) continue ;; esac
    package=${path##*/}
    [ ! -f "$MUSTER_ROOT/$path" ] || uci -c "$MUSTER_ROOT/etc/config" show "$package" >/dev/null || exit 1
    ubus call service event "{\\"type\\":\\"config.change\\",\\"data\\":{\\"package\\":\\"$package\\"}}" || exit 1
done
"""

LOOK = """\
root=${{MUSTER_ROOT:-}} kept=$root/etc/muster/uci hooks=$root/etc/muster/reload.d
command -v uci >/dev/null && command -v ubus >/dev/null || exit {no_uci}
mkdir -p "$hooks" && cat >"$hooks/50-uci" && chmod 755 "$hooks/50-uci" || exit 1
umask 077
for package in {packages} "$kept"/original/*; do
    package=${{package##*/}}
    case "$seen " in *" $package "*) continue ;; esac
    seen="$seen $package"
    [ "$package" != '*' ] || continue
    echo "{mark} changes $package"
    uci -c "$root/etc/config" changes "$package" 2>/dev/null
    if [ -f "$root/etc/config/$package" ]; then
        echo "{mark} mode $package" && ls -ldn "$root/etc/config/$package"
        echo "{mark} now $package"
        uci -c "$root/etc/config" export "$package" || exit 4
    fi
    for one in ours original; do
        [ ! -f "$kept/$one/$package" ] || {{ echo "{mark} $one $package" && cat "$kept/$one/$package"; }}
    done
done
echo "{mark} end"
"""


@dataclass(slots=True)
class Held:
    """State of one package on the router."""

    changes: str = ""
    """Set on the router and not committed."""
    now: Package | None = None
    mode: int | None = None
    ours: Package = field(default_factory=list)
    original: Package | None = None


class OpenwrtUci:
    def __init__(self, files: LinuxFiles | None = None) -> None:
        self._files = files or LinuxFiles()

    async def push(self, archive: Archive, *, window: float, connect: ShellFactory) -> Outcome:
        files = unpacked(archive.content)
        try:
            ours = packages_of(files)
            held = await look(ours, connect)
        except Unreachable as refusal:
            return Outcome("unreachable", str(refusal))
        except OutcomeUnknown as refusal:
            return Outcome("unreachable", f"Nothing was changed. {refusal}")
        except (Refused, InvalidConfig) as refusal:
            return Outcome("failed", str(refusal))
        if staged := [name for name, one in held.items() if one.changes]:
            return Outcome(
                "busy",
                f"Somebody is at work on {', '.join(staged)}: there are changes that nobody has "
                "committed. Commit or revert them on the device (uci changes shows them).",
            )
        content = gzip(tar(sorted(_merged(files, ours, held), key=lambda file: file.path)))
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        order = Archive(content, archive.checksum, md5)
        return await self._files.push(order, window=window, connect=connect)

    async def verify(self, archive: Archive, *, connect: ShellFactory) -> Outcome:
        """Verify like ``linux_files``; in UCI packages only our options count as drift."""
        found = await self._files.verify(archive, connect=connect)
        if not any(path.startswith(PACKAGES) for path in found.drift):
            return found
        try:
            ours = packages_of(unpacked(archive.content))
            held = await look(ours, connect)
        except (Refused, InvalidConfig):
            return found
        drift = tuple(path for path in found.drift if not _is_ours_in_place(path, ours, held))
        reason = f"Changed on the device since: {', '.join(drift)}." if drift else ""
        return Outcome(found.state, reason, found.log, drift)


def _is_ours_in_place(path: str, ours: Mapping[str, Package], held: Mapping[str, Held]) -> bool:
    if not path.startswith(PACKAGES):
        return False
    name = path.removeprefix(PACKAGES)
    return name in held and holds(held[name].now or [], ours.get(name, []))


def packages_of(files: Iterable[File]) -> dict[str, Package]:
    """Parse the UCI packages of an archive; raise InvalidConfig if not mergeable."""
    found = {
        file.path.removeprefix(PACKAGES): parse(file.contents.decode())
        for file in files
        if file.path.startswith(PACKAGES)
    }
    for name, package in found.items():
        if any(not one.name for one in package):
            raise InvalidConfig(
                f"the package {name} has a section without a name, which would be added again "
                "with every push: give it one"
            )
    return found


async def look(names: Iterable[str], connect: ShellFactory) -> dict[str, Held]:
    """Read these packages, and all that were ever pushed, from the router.

    Raises Refused if it is not OpenWrt or the output is incomplete.
    """
    mark = f"--{secrets.token_hex(8)}"
    command = LOOK.format(mark=mark, packages=" ".join(map(quote, names)), no_uci=NO_UCI)
    async with connect() as shell:
        result = await shell.run(command, stdin=HOOK.encode(), timeout=LOOK_SECONDS)
    if result.exit_status == NO_UCI:
        raise Refused("The device has no uci and ubus, so it is no OpenWrt: use linux-files.")
    *parts, end = result.stdout.split(f"{mark} ")[1:] or [""]
    if result.exit_status != 0 or end != "end\n":
        said = result.stderr.strip() or "it said too much, or nothing"
        raise Refused(f"The device could not tell its configuration: {said}.")
    held: dict[str, Held] = {}
    for part in parts:
        title, _, text = part.partition("\n")
        kind, name = title.split(" ", 1)
        one = held.setdefault(name, Held())
        if kind == "mode":
            one.mode = mode_of(text)
        else:
            setattr(one, kind, text if kind == "changes" else parse(text))
    return held


def mode_of(listed: str) -> int:
    """Return the mode of a file from its line of ``ls -l``."""
    letters = listed[1:10]
    return sum(1 << (8 - at) for at, one in enumerate(letters) if one not in "-ST")


def _merged(
    files: Iterable[File], ours: Mapping[str, Package], held: Mapping[str, Held]
) -> Iterable[File]:
    modes = {file.path: file.mode for file in files}
    yield from (file for file in files if not file.path.startswith(PACKAGES))
    for name in sorted({*ours, *held}):
        one, mine = held.get(name, Held()), ours.get(name, [])
        original = one.original if one.original is not None else one.now or []
        merged = merge(one.now or [], mine, former=one.ours, original=original)
        if not (merged or original or mine):
            continue
        # A package of the router's may be closed to others, as that of wireless networks is.
        mode = one.mode if one.mode is not None else modes.get(PACKAGES + name, 0o644)
        yield _file(PACKAGES + name, merged, mode)
        yield _file(f"{KEPT}ours/{name}", mine)
        yield _file(f"{KEPT}original/{name}", original)


def _file(path: str, package: Package, mode: int = 0o600) -> File:
    return File(path=path, mode=mode, contents=written(package).encode())
