# $1 names an installation, the rest are packages whose versions are told.
r=${MUSTER_ROOT:-} d=${MUSTER_ROOT:-}/var/lib/muster/packages-$1
export LC_ALL=C
shift
say() { [ -z "$2" ] || echo "$1 $2"; }
of() { sed -n "s/^$1=//p" "$r/etc/os-release" 2>/dev/null | tr -d '"' | head -n 1; }
say system "$(of ID)"
say version "$(of VERSION_ID)"
say boot_id "$(cat "$r/proc/sys/kernel/random/boot_id" 2>/dev/null)"
say user "$(id -u)"
say apt "$(command -v apt-get)"
dpkg --audit 2>/dev/null | head -n 20 | sed 's/^/audit /'
apt-mark showhold 2>/dev/null | sed 's/^/held /'
[ ! -e "$r/run/reboot-required" ] || say needs_restart yes
if [ -d "$d" ]; then
    say begun yes
    pid=$(cat "$d/pid" 2>/dev/null)
    # A number may be another process's after a restart.
    if [ -n "$pid" ] && grep -q "packages-" "/proc/$pid/cmdline" 2>/dev/null; then say running yes; fi
    # After the process was looked for: it may end meanwhile.
    say status "$(cat "$d/status" 2>/dev/null)"
    [ ! -e "$d/restarting" ] || say restarting yes
    # What went wrong, or else the last lines.
    { grep '^[EW]: ' "$d/log" || tail -n 3 "$d/log"; } 2>/dev/null | tail -n 5 | sed 's/^/words /'
fi
if [ $# -gt 0 ]; then
    dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version} ${Architecture}\n' "$@" 2>/dev/null | sed 's/^/package /'
fi
exit 0
