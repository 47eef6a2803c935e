# What a Linux or OpenWrt device measures of itself, in sections that begin with "== name".
# POSIX shell alone; whatever a device does not have is left out. Nothing is changed.
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
section() { echo "== $1"; }
section uptime; cat /proc/uptime
section load; cat /proc/loadavg
section cpus; grep -c ^processor /proc/cpuinfo
section memory; cat /proc/meminfo
section host; cat /proc/sys/kernel/hostname
section disks; df -P -k 2>/dev/null | grep '^/dev/\|overlay' | grep -v ' /rom$'
section counters; cat /proc/net/dev
section links
for path in /sys/class/net/*; do
  name=${path##*/}
  [ "$name" = lo ] && continue
  read -r state < "$path/operstate" || state=unknown
  speed=; { read -r speed < "$path/speed"; } 2>/dev/null
  read -r mac < "$path/address" || mac=
  read -r mtu < "$path/mtu" || mtu=
  kind=ethernet
  [ -d "$path/bridge" ] && kind=bridge
  [ -d "$path/wireless" ] || [ -d "$path/phy80211" ] && kind=wireless
  [ -e "$path/tun_flags" ] && kind=virtual
  echo "$name|$state|${speed:-0}|$mac|$mtu|$kind"
done 2>/dev/null
section addresses; ip -o addr show 2>/dev/null
section neighbors; ip neigh show 2>/dev/null || cat /proc/net/arp
section routes; ip route show default 2>/dev/null
section temperatures
for path in /sys/class/thermal/thermal_zone*/temp /sys/class/hwmon/hwmon*/temp1_input; do
  { read -r value < "$path" && echo "$value"; } 2>/dev/null
done
section wireless
if command -v iw >/dev/null 2>&1; then
  for path in /sys/class/net/*/phy80211; do
    [ -e "$path" ] || continue
    name=${path%/phy80211}; name=${name##*/}
    echo "interface $name"; iw dev "$name" info 2>/dev/null; iw dev "$name" station dump 2>/dev/null
  done
fi
section end
