#!/bin/sh
# The device's side of a commit-confirmed push, for any Linux with busybox or coreutils.
#
#   push.sh start CHECKSUM SECONDS [MD5]  in a folder with archive.tar.gz: apply it, then wait that
#                                     long for a confirmation; without one, put all files back
#   push.sh confirm CHECKSUM          keep what is applied
#   push.sh status                    tell what is applied, and which files were changed since
#   push.sh recover [boot]            put back what a killed runner or a restart left half done
#
# Everything lives in $MUSTER_ROOT/var/lib/muster; where /var is a link to memory, as on OpenWrt, in
# $MUSTER_ROOT/etc/muster/push, which a restart leaves:
#   lock.N     a link to "pid:start:boot" of who holds the lock; held as long as that lives,
#              and only the highest N counts, so that a stale one is replaced without a race
#   run.N      the latest push: journal (the last line of a key wins), log, back.tar, lists
#   applied    "checksum: MD5", then "md5 mode path" of each file of the config in force
#   originals  what was at a managed path before its first push
# Paths hold no blanks (see refused), so lists of them may be split by the shell.
set -u
LC_ALL=C
export LC_ALL
umask 022
root=${MUSTER_ROOT:-}
root=${root%/}
memory=$root/var/lib/muster
state=$memory
if [ -L "$root/var" ]; then state=$root/etc/muster/push; fi
hook_seconds=60
hooks=yes
nl='
'

# --- who is alive, and who may work ------------------------------------------------------

born() { # pid -> $born; false if there is no such process, or only its remains
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    set -- ${stat##*) }
    [ "$1" != Z ] || return 1
    shift 19
    born=$1
}

alive() { # pid:start:boot
    read -r boot </proc/sys/kernel/random/boot_id
    born "${1%%:*}" && [ "$1" = "${1%%:*}:$born:$boot" ]
}

highest() { # prefix -> $top, 0 if there is none
    top=0
    for entry in "$state/$1".*; do
        n=${entry##*.}
        case $n in *[!0-9]*) continue ;; esac
        [ "$n" -le "$top" ] || top=$n
    done
}

acquire() { # -> $me $number
    highest lock
    if [ "$top" -gt 0 ] && alive "$(readlink "$state/lock.$top")"; then return 1; fi
    read -r boot </proc/sys/kernel/random/boot_id
    born $$
    me=$$:$born:$boot
    number=$((top + 1))
    ln -s "$me" "$state/lock.$number" 2>/dev/null || return 1
    highest lock
    if [ "$top" = "$number" ]; then return 0; fi
    rm -f "$state/lock.$number"
    return 1
}

tidy() { # what this and earlier pushes need no more, and uploads whose connection is gone
    old=
    for entry in "$state"/lock.* "$state"/run.* "$state"/incoming.*; do
        case $entry in
            *".$number" | "$run" | *'.*') continue ;;
            */incoming.*) born "${entry##*.}" && continue ;;
        esac
        old="$old ${entry##*/}"
    done
    for entry in archive.tar.gz archive.tar stage back back.tar originals; do
        old="$old ${run##*/}/$entry"
    done
    (cd "$state" && rm -rf $old)
}

# --- the journal -------------------------------------------------------------------------

note() { printf '%s\n' "$1" >>"$run/journal"; }

load() { # $run -> $phase $checksum $reason $runner $settles
    phase='' checksum='' reason='' runner='' settles=''
    [ -f "$run/journal" ] || return 0
    while read -r key value; do
        case $key in
            state:) phase=$value ;;
            checksum:) checksum=$value ;;
            reason:) reason=$value ;;
            runner:) runner=$value ;;
            settles:) settles=$value ;;
        esac
    done <"$run/journal"
}

unfinished() { case $phase in '' | applied | failed) return 1 ;; esac }

report() {
    if [ -z "$phase" ]; then
        echo "state: none"
        return
    fi
    printf '%s\n' "state: $phase" "checksum: $checksum" "reason: $reason" "settles: ${settles:-0}"
    if [ -s "$run/log" ]; then tail -n 20 "$run/log" | sed 's/^/log: /'; fi
}

# --- a restart in the middle of a push ----------------------------------------------------

move_from_memory() { # what earlier versions of this script kept there
    if [ "$state" = "$memory" ] || [ -e "$state/applied" ] || [ ! -f "$memory/applied" ]; then
        return
    fi
    cp -pR "$memory/applied" "$state/applied"
    [ ! -d "$memory/originals" ] || cp -pR "$memory/originals" "$state/originals"
}

arm() { # until the push has ended, the device recovers at boot, without the portal
    line="MUSTER_ROOT='$root' sh '$state/push.sh' recover boot"
    if [ -f "$root/etc/rc.common" ]; then
        mkdir -p "$root/etc/init.d" "$root/etc/rc.d" &&
            printf '%s\n' '#!/bin/sh /etc/rc.common' START=12 "boot() { $line; }" \
                'start() { :; }' >"$root/etc/init.d/muster-recover" &&
            chmod 755 "$root/etc/init.d/muster-recover" &&
            ln -sf ../init.d/muster-recover "$root/etc/rc.d/S12muster-recover"
    elif [ -d "$root/etc/systemd/system" ]; then
        unit=$root/etc/systemd/system/muster-recover.service
        wants=$root/etc/systemd/system/sysinit.target.wants
        mkdir -p "$wants" &&
            printf '%s\n' '[Unit]' 'Description=Undo an unfinished push of Muster' \
                DefaultDependencies=no After=local-fs.target 'Before=network-pre.target' \
                'Wants=network-pre.target' '[Service]' Type=oneshot \
                "ExecStart=/bin/sh -c \"$line\"" >"$unit" &&
            ln -sf ../muster-recover.service "$wants/muster-recover.service"
    fi 2>>"$run/log"
}

disarm() {
    rm -f "$root/etc/rc.d/S12muster-recover" "$root/etc/init.d/muster-recover" \
        "$root/etc/systemd/system/sysinit.target.wants/muster-recover.service" \
        "$root/etc/systemd/system/muster-recover.service"
}

answer() { # the SSH session ends here; the runner goes on alone
    load
    report
    exec >/dev/null
}
