# Part three: one push, and the verbs.

give_up() { # reason: before anything was touched
    note "reason: $1"
    note "state: failed"
    answer
    tidy
    exit
}

unpack() { # -> $paths, and the files in $run/stage
    gzip -dc "$run/archive.tar.gz" >"$run/archive.tar" 2>/dev/null &&
        listing=$(tar tvf "$run/archive.tar" 2>"$run/log") ||
        give_up "the archive arrived damaged, or is no tar.gz"
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
    tar xpof "$run/archive.tar" -C "$run/stage" 2>>"$run/log" ||
        give_up "the archive could not be unpacked: $(tail -n 1 "$run/log")"
}

compare() { # $paths and the config in force -> $changed $departed; manifest and lists in $run
    upload=${run#"$root/"} new='' now='' staged=''
    for path in $paths; do staged="$staged $upload/stage/$path"; done
    while read -r sum mode path; do
        case $path in
            "$upload/archive.tar.gz") [ "$sum" = "$md5" ] || give_up "the archive arrived damaged: its md5 is $sum instead of $md5" ;;
            "$upload"/*) new="$new${new:+$nl}$sum $mode ${path#"$upload/stage/"}" ;;
            *) now="$now$nl$sum $mode $path" ;;
        esac
    done <<-END
	$(fingerprint "$root" "$paths $staged $upload/archive.tar.gz")
	END
    differing "$new" "$now"
    changed=$differ departed='' keep='' save='' stale=''
    for path in $managed; do
        case "$paths " in *" $path "*) continue ;; esac
        checked=
        if blocked "$path"; then give_up "cannot take $path away: $reason"; fi
        if exists "$state/originals/$path" || exists "$root/$path"; then
            departed="$departed $path"
        fi
    done
    for path in $paths; do
        case "$managed " in *" $path "*) continue ;; esac
        if exists "$root/$path"; then
            keep="$keep $path" save="$save $path"
        elif exists "$state/originals/$path"; then
            stale="$stale $path"
        fi
    done
    for path in $changed $departed; do
        case "$save " in *" $path "*) continue ;; esac
        if exists "$root/$path"; then save="$save $path"; fi
    done
    {
        printf 'checksum: %s\n%s\n' "$checksum" "$new" >"$run/manifest" &&
            echo "$save" >"$run/saved"
    } || give_up "the disk of $state is full"
    keep_former 2>>"$run/log" ||
        give_up "the former files could not be kept: $(tail -n 1 "$run/log")"
    echo "$changed$departed" >"$run/touched" || give_up "the disk of $state is full"
    # A config that makes the device crash must find all this when it is up again.
    (cd "$run" && sync back.tar saved touched journal 2>/dev/null) || sync
}

keep_former() { # $save in case this push fails, $keep in case a later one drops these paths
    [ -z "$save" ] || tar cf "$run/back.tar" -C "$root/" $save || return 1
    [ -z "$stale" ] || (cd "$state/originals" && rm -f $stale) || return 1
    [ -n "$keep" ] || return 0
    mkdir -p "$state/originals" && tar xpf "$run/back.tar" -C "$state/originals" $keep
}

apply() { # -> $failure
    same_owners
    put_all "$run/stage" "$changed" 2>>"$run/log" ||
        { failure="files could not be written: $(tail -n 1 "$run/log")" && return 1; }
    originals='' gone=''
    for path in $departed; do
        if exists "$state/originals/$path"; then
            originals="$originals $path"
        else
            gone="$gone $path"
        fi
    done
    if [ -n "$originals" ]; then
        # Copies, for the originals must still be there if this push fails.
        mkdir "$run/originals" &&
            tar cf - -C "$state/originals" $originals | tar xpf - -C "$run/originals" &&
            put_all "$run/originals" "$originals" 2>>"$run/log" ||
            { failure="originals could not be put back: $(tail -n 1 "$run/log")" && return 1; }
    fi
    [ -z "$gone" ] || (cd "$root/" && rm -f $gone) ||
        { failure="files of the former config could not be removed" && return 1; }
    run_hooks "$changed$departed"
}

put_back() { # reason; can be begun again at any point
    note "reason: $1"
    note "state: restoring"
    why=$1 failure='' gone=''
    read -r touched <"$run/touched"
    read -r saved <"$run/saved"
    for path in $touched; do
        case " $saved " in *" $path "*) ;; *) gone="$gone $path" ;; esac
    done
    if [ -n "$saved" ]; then
        mkdir -p "$run/back" && tar xpf "$run/back.tar" -C "$run/back" 2>>"$run/log" &&
            put_all "$run/back" "$saved" 2>>"$run/log" ||
            failure="files could not be put back: $(tail -n 1 "$run/log")"
    fi
    [ -z "$gone" ] || (cd "$root/" && rm -f $gone)
    if [ -f "$run/made" ]; then
        while read -r above; do rmdir "$root/$above" 2>/dev/null; done <"$run/made"
    fi
    [ -n "$failure" ] || run_hooks "$touched"
    [ -z "$failure" ] || note "reason: $why; and on the way back: $failure"
    note "state: failed"
    disarm
}

finalize() { # can be begun again at any point
    if [ -f "$run/manifest" ]; then mv -f "$run/manifest" "$state/applied"; fi
    note "state: applied"
    disarm
}

await_confirmation() { # seconds
    sleep "$1" >/dev/null 2>&1 &
    nap=$!
    trap 'kill "$nap" 2>/dev/null' USR1
    settling
    note "settles: $settles${nl}state: waiting"
    answer
    while kill -0 "$nap" 2>/dev/null; do wait "$nap"; done
    if [ ! -L "$run/decided" ] && ln -s expired "$run/decided" 2>/dev/null; then
        put_back "not confirmed within $1 s: the portal could not reach the device any more, so the former files are back"
    else
        finalize
    fi
}

settle() { # finish what a killed runner or a restart left half done; needs the lock
    for run in "$state"/run.*; do
        load
        unfinished || continue
        read -r touched 2>/dev/null <"$run/touched" || touched=
        if [ -z "$touched" ]; then
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

same_script() { # its second line tells its version
    [ -f "$state/push.sh" ] || return 1
    { read -r _ && read -r ours; } <push.sh
    { read -r _ && read -r theirs; } <"$state/push.sh"
    [ "$ours" = "$theirs" ]
}

runner() { # checksum, seconds, md5 of the archive if it is not the checksum; the upload is the current folder
    # Caught and not ignored: daemons that a hook restarts must still hear it.
    trap : HUP
    here=$PWD
    if ! acquire; then
        printf 'state: busy\nreason: another push is at work on the device\n'
        rm -rf "$here"
        exit
    fi
    settle
    move_from_memory
    run=$state/run.$number
    mv "$here" "$run" && cd "$run"
    same_script || mv -f push.sh "$state/push.sh"
    note "runner: $me${nl}checksum: $1${nl}state: preparing"
    read_applied
    if unchanged "$1"; then
        note "state: applied"
        answer
        tidy
        exit
    fi
    checksum=$1 md5=${3:-$1} failure=
    unpack
    compare
    if [ -z "$changed$departed" ]; then
        finalize
        answer
    else
        arm
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
    recover)
        if [ "${1:-}" = boot ]; then hooks=no; fi
        if acquire; then settle; fi
        ;;
    confirm) confirm "$1" ;;
    status) status ;;
    *) echo "state: unknown${nl}reason: there is no verb $verb" ;;
esac
