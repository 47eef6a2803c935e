#!/bin/sh
# The device's side of a commit-confirmed push, for any Linux with busybox or coreutils.
#
#   push.sh start CHECKSUM SECONDS    in a folder with archive.tar.gz: apply it, then wait that
#                                     long for a confirmation; without one, put all files back
#   push.sh confirm CHECKSUM          keep what is applied
#   push.sh status                    tell what is applied, and which files were changed since
#
# Everything lives in $MUSTER_ROOT/var/lib/muster:
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
state=$root/var/lib/muster
hook_seconds=60
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

sweep() { # what earlier pushes left, and uploads whose connection is gone
    old=
    for entry in "$state"/lock.* "$state"/run.* "$state"/incoming.*; do
        case $entry in
            *".$number" | *'.*') continue ;;
            */incoming.*) born "${entry##*.}" && continue ;;
        esac
        old="$old ${entry##*/}"
    done
    [ -z "$old" ] || (cd "$state" && rm -rf $old)
}

# --- the journal -------------------------------------------------------------------------

note() { printf '%s\n' "$1" >>"$run/journal"; }

load() { # $run -> $phase $checksum $reason $runner
    phase='' checksum='' reason='' runner=''
    [ -f "$run/journal" ] || return 0
    while read -r key value; do
        case $key in
            state:) phase=$value ;;
            checksum:) checksum=$value ;;
            reason:) reason=$value ;;
            runner:) runner=$value ;;
        esac
    done <"$run/journal"
}

unfinished() { case $phase in '' | applied | failed) return 1 ;; esac }

report() {
    if [ -z "$phase" ]; then
        echo "state: none"
        return
    fi
    printf '%s\n' "state: $phase" "checksum: $checksum" "reason: $reason"
    if [ -s "$run/log" ]; then tail -n 20 "$run/log" | sed 's/^/log: /'; fi
}

answer() { # the SSH session ends here; the runner goes on alone
    load
    report
    exec >/dev/null
}

# --- files -------------------------------------------------------------------------------

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
        /var/lib/muster/*) reason="$2 belongs to the push itself" ;;
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

put() { # file, path: it becomes the device's file in one step
    case $2 in */*) make_folder "${2%/*}" || return 1 ;; esac
    source=$1
    if [ -z "$one_disk" ]; then
        source=$root/${2%/*}/.muster.$$
        case $2 in */*) ;; *) source=$root/.muster.$$ ;; esac
        cp -pP "$1" "$source" || return 1
    fi
    # mv would go through a link that leads to a folder.
    if [ -L "$root/$2" ]; then rm -f "$root/$2"; fi
    mv -f "$source" "$root/$2"
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

run_hooks() { # paths -> $failure
    limit=
    if command -v timeout >/dev/null; then limit="timeout $hook_seconds"; fi
    for hook in "$root"/etc/muster/reload.d/*; do
        if [ ! -f "$hook" ] || [ ! -x "$hook" ]; then continue; fi
        (cd "$root/" && MUSTER_ROOT=${root:-/} MUSTER_CHANGED=$1 $limit "$hook") \
            </dev/null >>"$run/log" 2>&1
        status=$?
        if [ $status -ne 0 ]; then
            failure="the reload hook ${hook##*/} ended with status $status: $(tail -n 1 "$run/log")"
            return 1
        fi
    done
}

# --- one push ----------------------------------------------------------------------------

give_up() { # reason: before anything was touched
    note "reason: $1"
    note "state: failed"
    answer
    tidy
    exit
}

tidy() { rm -rf "$run/archive.tar.gz" "$run/stage" "$run/back" "$run/back.tar"; }

unpack() { # checksum -> $paths, and the files in $run/stage
    sum=$(md5sum "$run/archive.tar.gz") || give_up "the archive did not arrive"
    sum=${sum%% *}
    [ "$sum" = "$1" ] || give_up "the archive arrived damaged: its md5 is $sum instead of $1"
    listing=$(tar tvzf "$run/archive.tar.gz" 2>"$run/log") || give_up "the archive is no tar.gz"
    paths='' checked=
    while read -r mode _ _ _ _ path; do
        path=${path#./}
        case $mode in d* | '') continue ;; esac
        if refused "$mode" "$path"; then give_up "refused: $reason"; fi
        case "$paths " in *" $path "*) give_up "refused: $path is in the archive twice" ;; esac
        paths="$paths $path"
    done <<-END
	$listing
	END
    # tar mends some unsafe names silently in its listing and tells only here.
    [ ! -s "$run/log" ] || give_up "refused: the archive holds unsafe paths: $(head -n 1 "$run/log")"
    mkdir "$run/stage" && tar xzpof "$run/archive.tar.gz" -C "$run/stage" 2>>"$run/log" ||
        give_up "the archive could not be unpacked: $(tail -n 1 "$run/log")"
}

compare() { # $paths and the config in force -> $changed $departed; manifest and lists in $run
    new=$(fingerprint "$run/stage" "$paths")
    differing "$new" "$(fingerprint "$root" "$paths")"
    changed=$differ departed='' keep='' forget='' save=''
    for path in $managed; do
        case "$paths " in *" $path "*) continue ;; esac
        checked=
        if blocked "$path"; then give_up "cannot take $path away: $reason"; fi
        if exists "$state/originals/$path"; then
            departed="$departed $path" forget="$forget $path"
        elif exists "$root/$path"; then
            departed="$departed $path"
        fi
    done
    for path in $paths; do
        case "$managed " in *" $path "*) continue ;; esac
        if exists "$root/$path"; then keep="$keep $path" save="$save $path"; fi
    done
    for path in $changed $departed; do
        case "$save " in *" $path "*) continue ;; esac
        if exists "$root/$path"; then save="$save $path"; fi
    done
    {
        printf 'checksum: %s\n%s\n' "$checksum" "$new" >"$run/manifest" &&
            echo "$changed$departed" >"$run/touched" &&
            echo "$keep" >"$run/keep" &&
            echo "$forget" >"$run/forget"
    } || give_up "the disk of $state is full"
    [ -z "$save" ] || tar cf "$run/back.tar" -C "$root/" $save 2>>"$run/log" ||
        give_up "the former files could not be kept: $(tail -n 1 "$run/log")"
}

apply() { # -> $failure
    folders "$changed $departed"
    disks $found
    for path in $changed; do
        put "$run/stage/$path" "$path" 2>>"$run/log" ||
            { failure="$path could not be written: $(tail -n 1 "$run/log")" && return 1; }
    done
    gone=
    for path in $departed; do
        if exists "$state/originals/$path"; then
            cp -pP "$state/originals/$path" "$run/stage/original" &&
                put "$run/stage/original" "$path" ||
                { failure="the original $path could not be put back" && return 1; }
        else
            gone="$gone $path"
        fi
    done
    [ -z "$gone" ] || (cd "$root/" && rm -f $gone) ||
        { failure="files of the former config could not be removed" && return 1; }
    run_hooks "$changed$departed"
}

put_back() { # reason; can be begun again at any point
    note "reason: $1"
    note "state: restoring"
    why=$1 failure='' gone=''
    read -r touched <"$run/touched"
    mkdir -p "$run/back"
    if [ -f "$run/back.tar" ]; then tar xpf "$run/back.tar" -C "$run/back" 2>>"$run/log"; fi
    folders "$touched"
    disks $found
    for path in $touched; do
        if exists "$run/back/$path"; then
            put "$run/back/$path" "$path" 2>>"$run/log" || failure="$path could not be put back"
        else
            gone="$gone $path"
        fi
    done
    [ -z "$gone" ] || (cd "$root/" && rm -f $gone)
    if [ -f "$run/made" ]; then
        while read -r above; do rmdir "$root/$above" 2>/dev/null; done <"$run/made"
    fi
    [ -n "$failure" ] || run_hooks "$touched"
    [ -z "$failure" ] || note "reason: $why; and on the way back: $failure"
    note "state: failed"
}

finalize() { # can be begun again at any point
    read -r keep <"$run/keep"
    read -r forget <"$run/forget"
    if [ -n "$keep" ] && [ -f "$run/back.tar" ]; then
        mkdir -p "$state/originals" && tar xpf "$run/back.tar" -C "$state/originals" $keep
    fi
    [ -z "$forget" ] || (cd "$state/originals" && rm -f $forget)
    if [ -f "$run/manifest" ]; then mv -f "$run/manifest" "$state/applied"; fi
    note "state: applied"
}

await_confirmation() { # seconds
    sleep "$1" >/dev/null 2>&1 &
    nap=$!
    trap 'kill "$nap" 2>/dev/null' USR1
    note "state: waiting"
    answer
    wait "$nap"
    if ln -s expired "$run/decided" 2>/dev/null; then
        put_back "not confirmed within $1 s: the portal could not reach the device any more, so the former files are back"
    else
        finalize
    fi
    tidy
}

settle() { # finish what a killed runner or a restart left half done; needs the lock
    for run in "$state"/run.*; do
        load
        unfinished || continue
        if [ ! -f "$run/touched" ] || [ "$phase" = preparing ]; then
            note "reason: the push was interrupted on the device before anything was changed"
            note "state: failed"
        elif [ "$(readlink "$run/decided")" = confirmed ]; then
            finalize
        else
            put_back "${reason:-the push was interrupted on the device (restart or killed), so the former files are back}"
        fi
        tidy
    done
}

unchanged() { # checksum: is it what is applied, and has nobody touched it since?
    [ "$in_force" = "$1" ] || return 1
    differing "$wanted" "$(fingerprint "$root" "$managed")"
    [ -z "$differ" ]
}

runner() { # checksum, seconds; the upload is the current folder
    trap '' HUP
    here=$PWD
    if ! acquire; then
        printf 'state: busy\nreason: another push is at work on the device\n'
        rm -rf "$here"
        exit
    fi
    settle
    run=$state/run.$number
    mv "$here" "$run" && cd "$run" && mv -f push.sh "$state/push.sh"
    note "runner: $me${nl}checksum: $1${nl}state: preparing"
    sweep
    read_applied
    if unchanged "$1"; then
        note "state: applied"
        answer
        tidy
        exit
    fi
    checksum=$1 failure=
    unpack "$1"
    compare
    if [ -z "$changed$departed" ]; then
        finalize
        answer
    else
        note "state: applying" || give_up "the disk of $state is full"
        if apply; then
            await_confirmation "$2"
        else
            put_back "$failure"
            answer
        fi
    fi
    tidy
}

# --- verbs -------------------------------------------------------------------------------

detached() { # verb and arguments: a runner that outlives this session and the SSH server
    session=
    if command -v setsid >/dev/null; then session=setsid; fi
    # Ends when the runner closes its output, or dies.
    answered=$($session sh "$script" "$@" </dev/null 2>>"$errors" &)
}

latest() { # the latest push, after recovering it if its runner is gone
    highest run
    run=$state/run.$top
    load
    if unfinished && ! alive "$runner"; then
        detached recover
        load
    fi
}

confirm() { # checksum
    latest
    if [ "$checksum" = "$1" ] && [ "$phase" = waiting ]; then
        if ln -s confirmed "$run/decided" 2>/dev/null; then kill -USR1 "${runner%%:*}"; fi
        turns=0
        while unfinished && [ $turns -lt 40 ]; do
            sleep 0.05
            turns=$((turns + 1))
            load
        done
    fi
    report
}

status() {
    latest
    read_applied
    printf 'applied: %s\n' "$in_force"
    differing "$wanted" "$(fingerprint "$root" "$managed")"
    for path in $differ; do printf 'drift: %s\n' "$path"; done
    report
}

script=$state/push.sh
errors=/dev/null
verb=${1:-status}
[ $# -eq 0 ] || shift
case $verb in
    start)
        script=./push.sh
        errors=./errors
        detached runner "$@"
        printf '%s\n' "${answered:-state: unknown${nl}reason: the push ended without a word}"
        ;;
    runner) runner "$@" ;;
    recover) if acquire; then settle; fi ;;
    confirm) confirm "$1" ;;
    status) status ;;
    *) echo "state: unknown${nl}reason: there is no verb $verb" ;;
esac
