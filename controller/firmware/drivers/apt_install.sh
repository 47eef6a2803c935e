# Installs packages, once, independently of the connection.
# $1 is the folder of this installation, $2 says whether a restart is permitted, the rest is what
# apt-get is called with; names of packages follow "--".
r=${MUSTER_ROOT:-} d=$1 may_restart=$2
shift 2
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
echo $$ >"$d/pid"
arguments= names=
while [ $# -gt 0 ] && [ "$1" != -- ]; do arguments="$arguments $1"; shift; done
[ $# -eq 0 ] || shift
for one in "$@"; do names="$names ${one%%=*}"; done
# Naming a package marks it as wanted for itself; what came as a dependency stays one.
auto=$(apt-mark showauto $names 2>/dev/null)
apt-get $arguments -- "$@" >"$d/log" 2>&1 </dev/null
status=$?
[ -z "$auto" ] || apt-mark auto $auto >/dev/null 2>&1
if [ "$status" = 0 ] && [ "$may_restart" = yes ] && [ -e "$r/run/reboot-required" ]; then
    : >"$d/restarting"
fi
echo "$status" >"$d/status.new" && mv "$d/status.new" "$d/status"
sync
[ ! -e "$d/restarting" ] || reboot
