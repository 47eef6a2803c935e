# Names the packages that were chosen for this device, not what they depend on.
r=${MUSTER_ROOT:-}
list=$(ubus call rpc-sys packagelist '{"all": false}' 2>/dev/null | tr -d '\n\t')
if [ -n "$list" ]; then
    echo "json $list"
elif [ -f "$r/etc/apk/world" ]; then
    tr -s ' ' '\n' <"$r/etc/apk/world" | sed '/^$/d; s/^/name /'
elif [ -f "$r/usr/lib/opkg/status" ]; then
    name= auto= there=
    while read -r key value || [ -n "$key$value" ]; do
        case $key in
            Package:) name=$value auto= there= ;;
            Status:) case $value in *" installed") there=1 ;; esac ;;
            Auto-Installed:) [ "$value" != yes ] || auto=1 ;;
            "") [ -z "$name" ] || [ -z "$there" ] || [ -n "$auto" ] || echo "name $name"; name= ;;
        esac
    done <"$r/usr/lib/opkg/status"
    [ -z "$name" ] || [ -z "$there" ] || [ -n "$auto" ] || echo "name $name"
fi
exit 0
