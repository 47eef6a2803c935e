# Services that can rest while an image is installed. They are started again after 20 minutes
# by the device itself, should nobody do so before.
r=${MUSTER_ROOT:-} stopped=${MUSTER_ROOT:-}/tmp/muster-stopped
start_services() {
    [ -f "$stopped" ] || return 0
    for name in $(cat "$stopped"); do "$r/etc/init.d/$name" start >/dev/null 2>&1; done
    rm -f "$stopped"
}
stop_services() {
    [ ! -f "$stopped" ] || return 0
    : >"$stopped"
    for name in uhttpd openwisp-monitoring openwisp_monitoring cron rpcd rssileds; do
        [ -x "$r/etc/init.d/$name" ] || continue
        "$r/etc/init.d/$name" running >/dev/null 2>&1 || continue
        echo "$name" >>"$stopped"
        "$r/etc/init.d/$name" stop >/dev/null 2>&1
    done
    (trap '' HUP; sleep "${MUSTER_REST_SECONDS:-1200}"; start_services) >/dev/null 2>&1 </dev/null &
}
