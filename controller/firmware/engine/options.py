"""Options of an upgrade, and the flags of sysupgrade that they become."""

from collections.abc import Mapping
from dataclasses import dataclass

# As clients of OpenWISP name them: one letter each.
FLAGS: Mapping[str, str] = {
    "c": "Keep all changed files of /etc.",
    "o": "Keep all changed files.",
    "n": "Reset the settings of the device.",
    "u": "Leave out files that equal those of the new firmware.",
    "p": "Do not restore the partition table.",
    "k": "Note the installed packages in the backup.",
}
FORCE = "F"
# Of the portal, no flags of sysupgrade.
SWITCHES: Mapping[str, str] = {
    "downgrade": "Install a version that is older than the installed one.",
    "stop_services": "Stop services if memory is short. They start again after 20 minutes.",
}
CHOICES: Mapping[str, str] = {**FLAGS, **SWITCHES}


@dataclass(frozen=True)
class Options:
    """Chosen flags, in the order of sysupgrade's help, and switches of the portal."""

    flags: tuple[str, ...] = ()
    switches: frozenset[str] = frozenset()

    @property
    def resets(self) -> bool:
        return "n" in self.flags

    @property
    def arguments(self) -> str:
        return " ".join(f"-{one}" for one in self.flags)


def parse(values: object) -> Options:
    """Parse an object of flags, ``{"n": true}``; raise ValueError with the reason."""
    if not isinstance(values, dict):
        raise ValueError(  # noqa: TRY004 - the callers show it
            'An object is expected, as in {"n": true}.'
        )
    unknown = sorted(str(name) for name in values if name not in CHOICES)
    if FORCE in unknown:
        raise ValueError("-F is not offered: it installs images that the device refuses.")
    if unknown:
        raise ValueError(f"There is no option {unknown[0]!r}: {', '.join(CHOICES)} are known.")
    wrong = [name for name, value in values.items() if not isinstance(value, bool)]
    if wrong:
        raise ValueError(f"{wrong[0]} is either true or false.")
    chosen = tuple(name for name in FLAGS if values.get(name))
    if "n" in chosen and {"c", "o"} & {*chosen}:
        raise ValueError("Settings are either reset (n) or kept (c, o), not both.")
    return Options(chosen, frozenset(name for name in SWITCHES if values.get(name)))
