# Part two: files.

exists() { [ -e "$1" ] || [ -L "$1" ]; }

fingerprint() { # folder, paths -> lines "md5 mode path" of the regular files among them
    files=
    for path in $2; do
        if [ -f "$1/$path" ] && [ ! -L "$1/$path" ]; then files="$files $path"; fi
    done
    [ -n "$files" ] || return 0
    (cd "$1/" && md5sum $files && ls -ldn $files) 2>/dev/null |
        awk 'NF == 2 { sum[$2] = $1; next } { print sum[$NF], substr($1, 1, 10), $NF }'
}

differing() { # wanted lines, lines now -> $differ: the paths that are not as wanted
    differ=
    while read -r sum mode path; do
        case "$nl$2$nl" in
            *"$nl$sum $mode $path$nl"*) ;;
            *) differ="$differ${path:+ $path}" ;;
        esac
    done <<-END
	$1
	END
}

read_applied() { # -> $in_force (a checksum), $wanted (lines), $managed (paths)
    in_force='' wanted='' managed=''
    [ -f "$state/applied" ] || return 0
    while read -r sum mode path; do
        if [ "$sum" = checksum: ]; then
            in_force=$mode
        else
            wanted="$wanted${wanted:+$nl}$sum $mode $path"
            managed="$managed $path"
        fi
    done <"$state/applied"
}

refused() { # mode, path -> $reason, if the archive may not hold this
    case $1 in -*) ;; *) reason="$2 is not a regular file" && return 0 ;; esac
    case /$2/ in
        *//* | */./* | */../*) reason="$2 is not a plain path below the root" ;;
        *[!A-Za-z0-9._/@:+,=~%-]*) reason="$2 has characters other than A-Z a-z 0-9 . _ / @ : + , = ~ % -" ;;
        /-*) reason="$2 begins with a dash" ;;
        /var/lib/muster/* | /etc/muster/push/*) reason="$2 belongs to the push itself" ;;
        *) blocked "$2" ;;
    esac
}

blocked() { # path -> $reason, if something on the device stands in the way
    if [ -d "$root/$1" ] && [ ! -L "$root/$1" ]; then
        reason="$1 is a folder on the device" && return 0
    fi
    case $1 in */*) above=${1%/*} ;; *) return 1 ;; esac
    [ "$above" != "$checked" ] || return 1
    checked=$above
    while [ -n "$above" ]; do
        if [ -L "$root/$above" ]; then
            reason="$above is a symbolic link on the device; write to the folder it leads to" && return 0
        fi
        if [ -e "$root/$above" ] && [ ! -d "$root/$above" ]; then
            reason="$above is not a folder on the device" && return 0
        fi
        case $above in */*) above=${above%/*} ;; *) above= ;; esac
    done
    return 1
}

make_folder() { # folder of a path; what is made is written down, to be removed on the way back
    [ ! -d "$root/$1" ] || return 0
    above=$1 made=
    while [ -n "$above" ] && [ ! -d "$root/$above" ]; do
        made="$made$above$nl"
        case $above in */*) above=${above%/*} ;; *) above= ;; esac
    done
    printf '%s' "$made" >>"$run/made" && mkdir -p "$root/$1"
}

put_all() { # folder, paths: its files become the device's, each in one step
    together='' into=''
    folders "$2"
    disks $found
    for path in $2; do
        case $path in */*) above=${path%/*} ;; *) above=. ;; esac
        if [ "$above" != "$into" ]; then
            put "$1" || return 1
            into=$above
            make_folder "$into" || return 1
        fi
        # mv would go through a link that leads to a folder.
        if [ -L "$root/$path" ]; then rm -f "$root/$path"; fi
        together="$together $path"
    done
    put "$1"
}

put() { # folder: its files $together go $into one folder of the device
    [ -n "$together" ] || return 0
    if [ -n "$one_disk" ]; then
        (cd "$1" && mv -f $together "$root/$into/") || return 1
    else
        for path in $together; do
            cp -pP "$1/$path" "$root/$into/.muster.$$" &&
                mv -f "$root/$into/.muster.$$" "$root/$path" || return 1
        done
    fi
    together=
}

disks() { # folders -> $one_disk is empty unless all are on the disk of $run, where mv is atomic
    one_disk=
    devices=$(stat -c %d "$run" "$@" 2>/dev/null) || return 0
    one_disk=${devices%%"$nl"*}
    for device in $devices; do
        [ "$device" = "$one_disk" ] || one_disk=
    done
}

folders() { # paths -> the existing folders they are in
    found=
    for path in $1; do
        above=$path
        while :; do
            case $above in */*) above=${above%/*} ;; *) above= ;; esac
            if [ -d "$root/$above" ]; then break; fi
        done
        case "$found " in *" $root/$above "*) ;; *) found="$found $root/$above" ;; esac
    done
}

same_owners() { # $changed: what replaces a file belongs to whom that belonged to
    present=
    for path in $changed; do
        if [ -f "$root/$path" ] && [ ! -L "$root/$path" ]; then present="$present $path"; fi
    done
    [ -n "$present" ] || return 0
    (cd "$root/" && ls -ldn $present) |
        awk -v uid="$(id -u)" -v gid="$(id -g)" '$3 != uid || $4 != gid { print $3 ":" $4, $NF }' |
        while read -r owner path; do chown "$owner" "$run/stage/$path"; done 2>>"$run/log"
    return 0
}

settling() { # -> $settles: milliseconds until what the hooks told procd is in effect
    settles=0
    library=$root/lib/functions/procd.sh
    [ -f "$library" ] || return 0
    delay=$(sed -n 's/.*PROCD_RELOAD_DELAY=\([0-9]\{1,6\}\).*/\1/p' "$library" | head -n 1)
    settles=$((${delay:-1000} * 4))
}

run_hooks() { # paths -> $failure
    # At boot, services have not read anything yet.
    [ "$hooks" = yes ] || return 0
    limit=
    if command -v timeout >/dev/null; then limit="timeout $hook_seconds"; fi
    for hook in "$root"/etc/muster/reload.d/*; do
        if [ ! -f "$hook" ] || [ ! -x "$hook" ]; then continue; fi
        (cd "$root/" && unset LC_ALL && MUSTER_ROOT=${root:-/} MUSTER_CHANGED=$1 $limit "$hook") \
            </dev/null >>"$run/log" 2>&1
        status=$?
        if [ $status -ne 0 ]; then
            failure="the reload hook ${hook##*/} ended with status $status: $(tail -n 1 "$run/log")"
            return 1
        fi
    done
}
