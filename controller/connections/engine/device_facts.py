"""What a device tells about itself over SSH, and what the portal needs there."""

from dataclasses import dataclass, field

SEPARATOR = ": "

# The values of a device, one in a line. MUSTER_ROOT is the root folder of a simulated device.
READ = r"""exec sh -c '
r=${MUSTER_ROOT:-}
name=$(cat "$r/proc/sys/kernel/hostname" 2>/dev/null || cat "$r/etc/hostname" 2>/dev/null)
echo "name: $name"
link=$(while read -r i d _; do [ "$d" = 00000000 ] && echo "$i" && break; done <"$r/proc/net/route" 2>/dev/null)
for one in "$r/sys/class/net/$link/address" "$r"/sys/class/net/*/address; do
    mac=$(cat "$one" 2>/dev/null)
    case $mac in ""|00:00:00:00:00:00) ;; *) echo "mac: $mac"; break ;; esac
done
if [ -f "$r/etc/os-release" ]; then (. "$r/etc/os-release"; echo "os: $PRETTY_NAME"); fi
model=$(cat "$r/tmp/sysinfo/model" 2>/dev/null || cat "$r/sys/class/dmi/id/product_name" 2>/dev/null)
echo "model: $model"
echo "user: $(id -un)"
for one in tar sha256sum uci ubus; do command -v $one >/dev/null && echo "has: $one"; done
for one in var/lib/muster etc; do
    at=$r/$one
    while [ ! -e "$at" ]; do at=${at%/*}; [ -n "$at" ] || at=/; done
    [ -w "$at" ] && echo "writes: $one"
done
exit 0
'"""

STATE_FOLDER = "var/lib/muster"


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    name: str = ""
    mac: str = ""
    os: str = ""
    model: str = ""
    user: str = ""
    programs: frozenset[str] = field(default_factory=frozenset)
    writable: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def parse(cls, text: str) -> "DeviceFacts":
        """Return the facts from the output of :data:`READ`; unknown lines are left out."""
        found: dict[str, list[str]] = {}
        for line in text.splitlines():
            key, separator, value = line.partition(SEPARATOR)
            if separator and value.strip():
                found.setdefault(key, []).append(value.strip())
        first = {key: values[0] for key, values in found.items()}
        return cls(
            **{key: first.get(key, "") for key in ("name", "mac", "os", "model", "user")},
            programs=frozenset(found.get("has", ())),
            writable=frozenset(found.get("writes", ())),
        )


@dataclass(frozen=True, slots=True)
class Need:
    """A need of an update strategy, with what to do on the device where it is not met."""

    title: str
    problem: str = ""
    cure: str = ""

    @property
    def is_met(self) -> bool:
        return not self.problem


def file_needs(facts: DeviceFacts) -> Need:
    """Return whether files can be written to a Linux host."""
    title = "Files can be written"
    if missing := sorted({"tar", "sha256sum"} - facts.programs):
        return Need(
            title,
            f"The device has no {' and no '.join(missing)}.",
            f"Install {', '.join(missing)}.",
        )
    if missing := sorted({STATE_FOLDER, "etc"} - facts.writable):
        folders = " and ".join(f"/{one}" for one in missing)
        return Need(
            title,
            f"The user {facts.user} has no write access to {folders}.",
            f"sudo install -d -o {facts.user} /{STATE_FOLDER}"
            if missing == [STATE_FOLDER]
            else "Sign in as root, or as a user who may write there.",
        )
    return Need(title)


def uci_needs(facts: DeviceFacts) -> Need:
    """Return whether the device can be configured over UCI."""
    title = "UCI is available"
    if {"uci", "ubus"} <= facts.programs:
        return Need(title)
    return Need(
        title,
        "The device has no uci, so it does not run OpenWrt.",
        "Choose “Linux host over SSH”.",
    )
