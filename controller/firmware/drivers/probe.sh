r=${MUSTER_ROOT:-}
say() { [ -z "$2" ] || echo "$1 $2"; }
say board_json "$(ubus call system board 2>/dev/null | tr -d '\n\t')"
say board_name "$(cat "$r/tmp/sysinfo/board_name" 2>/dev/null)"
say model "$(cat "$r/tmp/sysinfo/model" 2>/dev/null)"
say compat "$(uci -q get 'system.@system[0].compat_version' 2>/dev/null)"
say agent_id "$(uci -q get openwisp.http.uuid 2>/dev/null)"
say boot_id "$(cat "$r/proc/sys/kernel/random/boot_id" 2>/dev/null)"
say uptime "$(cut -d' ' -f1 "$r/proc/uptime" 2>/dev/null)"
free=
while read -r name value _; do
    case $name in
        MemTotal:) say memory_total "$value" ;;
        MemFree:) free=$value ;;
        MemAvailable:) say memory_available "$value"; free= ;;
    esac
done 2>/dev/null <"$r/proc/meminfo"
say memory_available "$free"
say tmp_free "$(df -k "$r/tmp" 2>/dev/null | tail -n 1 | tr -s ' ' | cut -d' ' -f4)"
say checksum "$(cat "$r/etc/openwisp/firmware_checksum" 2>/dev/null)"
for at in "$r"/root/.muster-upgrade-*; do
    [ ! -e "$at" ] || say marker "${at##*/.muster-upgrade-}"
done
exit 0
