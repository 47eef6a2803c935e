"""Plans of apt, and whether a host carried them out."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from controller.firmware.engine.judging import Judgment, Verdict

SECURITY, ALL = "security", "all"
TITLES: Mapping[str, str] = {SECURITY: "security updates", ALL: "all updates"}
# As `apt-get -s` prints: Inst name [old] (new origin, origin [arch]) …; a new package has no [old].
PLANNED = re.compile(r"Inst (\S+) (?:\[([^\]]+)\] )?\((\S+) ?(.*?) ?\[[\w-]+\]\)")
REMOVED = re.compile(r"(?:Remv|Purg) (\S+) ")
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*(?::[a-z0-9-]+)?")
VERSION = re.compile(r"[A-Za-z0-9.+:~-]+")
KEPT_BACK = "The following packages have been kept back:"
MOST_NAMED = 8
# A script that was started shows itself within this time.
LONGEST_BEGIN = timedelta(minutes=1)
LONGEST_RESTART = timedelta(minutes=10)


@dataclass(frozen=True)
class PlannedPackage:
    """Package that apt would install; ``old`` is empty for a new one."""

    name: str
    old: str
    new: str
    is_security: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.old or 'new'} → {self.new}"


@dataclass(frozen=True)
class Plan:
    """What apt would do."""

    packages: tuple[PlannedPackage, ...] = ()
    removed: tuple[str, ...] = ()
    kept_back: tuple[str, ...] = ()

    def only_security(self) -> list[PlannedPackage]:
        """Return the installed packages whose new version is a security update."""
        return [one for one in self.packages if one.is_security and one.old]


def parse_plan(text: str) -> Plan:
    """Parse a simulated ``apt-get``'s output; raise ValueError for an invalid name."""
    packages, removed = [], []
    for line in text.splitlines():
        if found := PLANNED.match(line):
            name, old, new, origins = found.groups()
            if not NAME.fullmatch(name) or not VERSION.fullmatch(new):
                raise ValueError(f"apt-get names no package in {line[:200]!r}.")
            packages.append(PlannedPackage(name, old or "", new, _is_security(origins)))
        elif line.startswith("Inst "):
            raise ValueError(f"This line of apt-get is not known: {line[:200]!r}.")
        elif found := REMOVED.match(line):
            removed.append(found[1])
    return Plan(tuple(packages), tuple(removed), tuple(_kept_back(text.splitlines())))


def _is_security(origins: str) -> bool:
    """Return whether an archive such as ``Debian-Security:12/stable-security`` is among them."""
    return any(one.strip().endswith("-security") for one in origins.split(","))


def _kept_back(lines: list[str]) -> Iterable[str]:
    if KEPT_BACK not in lines:
        return
    for line in lines[lines.index(KEPT_BACK) + 1 :]:
        if not line.startswith("  "):
            return
        yield from line.split()


@dataclass(frozen=True)
class HostReport:
    """Facts of a host, and the status of an installation started on it."""

    system: str = ""
    """Identifier of the distribution, such as debian."""
    version: str = ""
    boot_id: str = ""
    user: str = ""
    has_apt: bool = False
    audit: str = ""
    """What dpkg finds half installed."""
    held: tuple[str, ...] = ()
    needs_restart: bool = False
    is_begun: bool = False
    is_running: bool = False
    is_restarting: bool = False
    """Whether the installation ordered the restart that it was permitted."""
    status: int | None = None
    """How apt-get ended; None as long as it has not."""
    words: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of packages that are completely installed."""

    @property
    def title(self) -> str:
        return f"{self.system} {self.version}".strip() or "an unknown system"


def parse_host(text: str) -> HostReport:
    """Parse lines ``name value`` of the probe; what is missing or malformed stays empty."""
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        lines.setdefault(name, []).append(value.strip())

    def first(name: str) -> str:
        return lines.get(name, [""])[0][:200]

    status = first("status")
    versions: dict[str, str] = {}
    for line in lines.get("package", []):
        match line.split():
            case ["ii", package, installed, *architecture]:
                versions.setdefault(package, installed)
                versions |= {f"{package}:{one}": installed for one in architecture}
    return HostReport(
        system=first("system"),
        version=first("version"),
        boot_id=first("boot_id")[:64],
        user=first("user"),
        has_apt=bool(first("apt")),
        audit=" ".join(lines.get("audit", []))[:500],
        held=tuple(lines.get("held", [])),
        needs_restart=bool(first("needs_restart")),
        is_begun=bool(first("begun")),
        is_running=bool(first("running")),
        is_restarting=bool(first("restarting")),
        status=int(status) if status.isascii() and status.isdigit() else None,
        words=" ".join(lines.get("words", []))[-1000:],
        versions=versions,
    )


def judge_packages(
    wanted: Iterable[PlannedPackage], boot_id: str, now: HostReport, *, since: timedelta
) -> Judgment:
    """Judge a host that answers after it was told to install these packages.

    ``boot_id`` is that of the host before, ``since`` the time that has passed.
    """
    packages = list(wanted)
    missing = [one.name for one in packages if now.versions.get(one.name) != one.new]
    done = f"{len(packages) - len(missing)} of {len(packages)} packages are installed."
    has_restarted = bool(boot_id) and bool(now.boot_id) and now.boot_id != boot_id
    if now.status is None:
        return _unfinished(now, done, has_restarted=has_restarted, since=since)
    if now.status:
        return _failed(f"apt-get ended with {now.status}: {now.words} {done}")
    if missing:
        return _failed(
            f"apt-get ended well, but {_named(missing)} lack the new version. {done}"
        )
    if now.is_restarting and not has_restarted:
        if since < LONGEST_RESTART:
            return Judgment(Verdict.NOT_YET, f"{done} The host restarts.")
        return _failed(f"{done} The host did not restart.")
    rest = " The host restarted." if has_restarted else ""
    if now.needs_restart:
        rest += " It must be restarted for all of them to be in use."
    return Judgment(Verdict.CONFIRMED, done + rest)


def _unfinished(
    now: HostReport, done: str, *, has_restarted: bool, since: timedelta
) -> Judgment:
    if has_restarted:
        audit = f" {now.audit}" if now.audit else ""
        return _failed(f"The host restarted in the middle of the installation. {done}{audit}")
    if now.is_running:
        return Judgment(Verdict.NOT_YET, f"apt-get is at work. {done}")
    if since < LONGEST_BEGIN:
        return Judgment(Verdict.NOT_YET, "The installation has not begun yet.")
    if now.is_begun:
        return _failed(f"The installation was killed on the host. {done} {now.audit}".strip())
    return _failed(f"The host never began: nothing was installed. {done}")


def _failed(reason: str) -> Judgment:
    return Judgment(Verdict.FAILED, reason)


def _named(names: list[str]) -> str:
    rest = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
