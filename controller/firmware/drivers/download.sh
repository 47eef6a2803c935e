# Downloads to $2 from $1. The token comes on stdin and stands in no command line.
# Ends with 40 if the device has no program for it, and with 41 if the portal was not reached.
url=$1 file=$2 key=$2.key tries=0
umask 077
IFS= read -r token
rm -f "$file"
if curl --version >/dev/null 2>&1; then
    head_of() { curl -sSfI -m 10 -o /dev/null "$url"; }
    fetch() {
        printf 'header = "Authorization: Bearer %s"\n' "$token" |
            curl -sSf -C - --connect-timeout 10 --speed-limit 1 --speed-time 60 -K - -o "$file" "$url"
    }
elif wget --help 2>&1 | grep -q -- --post-file; then
    patience=
    ! wget --help 2>&1 | grep -q -- '-T' || patience="-T 60"
    head_of() { wget -q --spider $patience "$url"; }
    fetch() {
        printf %s "$token" >"$key"
        wget -q -c $patience --post-file="$key" -O "$file" "$url"
    }
else
    exit 40
fi
head_of 2>&1 || exit 41
while ! fetch 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 3 ] || break
done
rm -f "$key"
[ "$tries" -lt 3 ]
