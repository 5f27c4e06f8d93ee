#!/usr/bin/env bash
# The figures of benches/README.md, measured again: flint against its floors and, if it is installed, against redis.
#
#   benches/compare.sh [SECTION...]      memory, durable, pinned, redis, start, idle; all if none is named
#
#   FLINT     the binary (default: target/release/flint, which is built if it is missing)
#   SECONDS_EACH   seconds per figure and contender (default 5)
#   WORK      where data directories are made; its disk is what `durable` measures (default: a temporary directory)
#
# Close everything else first: with two cores, one other busy process halves every figure.
set -euo pipefail
cd "$(dirname "$0")/.."

flint=${FLINT:-${CARGO_TARGET_DIR:-target}/release/flint}
[ -x "$flint" ] || cargo build --locked --release
seconds=${SECONDS_EACH:-5}
work=$(mktemp -d "${WORK:-${TMPDIR:-/tmp}}/flint-compare.XXXXXX")
server=
cleanup() {
    stop
    rm -rf "$work"
}
trap cleanup EXIT

# start DIRECTORY-OR-"memory" [PREFIX...] [-- FLAGS...]: a server; its address is in $address.
start() {
    local storage=(--in-memory) prefix=()
    [ "$1" = memory ] || storage=(--data-dir "$1")
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do prefix+=("$1"); shift; done
    [ $# -gt 0 ] && shift
    rm -f "$work/ready"
    "${prefix[@]}" "$flint" serve --listen 127.0.0.1:0 "${storage[@]}" "$@" >"$work/ready" 2>"$work/log" &
    server=$!
    until grep -q igni= "$work/ready" 2>/dev/null; do
        kill -0 "$server" 2>/dev/null || { cat "$work/log"; exit 1; }
        sleep 0.01
    done
    address=$(sed 's/.*igni=//' "$work/ready")
}

stop() {
    [ -n "$server" ] || return 0
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=
}

bench() {
    "$flint" bench --addr "$address" --seconds "$seconds" "$@" 2>/dev/null
}

title() { printf '\n### %s\n' "$*"; }

memory() {
    title "in memory, beside the echo floor"
    start memory
    for shape in "1 64" "64 1" "16 16"; do
        read -r connections depth <<<"$shape"
        for mix in get upsert; do
            bench -c "$connections" -d "$depth" --mix $mix --floor
        done
    done
    bench -c 1 -d 64 --mix get --keys 1000 --floor
    bench -c 4 -d 4 --mix get_all=1,upsert_all=1 --batch 100
    stop
}

pinned() {
    title "depth 1, both processes on one core, then on two"
    for cores in "0 0" "0 1"; do
        read -r first second <<<"$cores"
        taskset -c "$first" "$flint" bench --serve-floor >"$work/floor" &
        local floor=$!
        until grep -q ready "$work/floor"; do sleep 0.01; done
        start memory taskset -c "$first"
        for mix in get upsert; do
            taskset -c "$second" "$flint" bench --addr "$address" --seconds "$seconds" -c 1 -d 1 --mix $mix \
                --floor-addr "$(sed 's/floor ready //' "$work/floor")" 2>/dev/null
        done
        stop
        kill "$floor"
        wait "$floor" 2>/dev/null || true
    done
}

durable() {
    title "durable (sync), beside a loop of append and fdatasync"
    for shape in "1 1" "1 64" "16 16"; do
        read -r connections depth <<<"$shape"
        start "$work/data"
        bench -c "$connections" -d "$depth" --mix upsert --fsync-floor "$work"
        stop
        rm -rf "$work/data"
    done
}

redis() {
    command -v redis-server >/dev/null || { echo "redis-server is not installed (Debian: redis-server)"; return 0; }
    local port=17777 pid
    run_redis() { # FLAGS of the server
        redis-server --port $port --dir "$work" --save "" "$@" >"$work/redis.log" &
        pid=$!
        until redis-cli -p $port ping >/dev/null 2>&1; do sleep 0.05; done
    }
    ask() { # CLIENTS DEPTH REQUESTS TESTS
        printf '%s clients x %s: ' "$1" "$2"
        redis-benchmark -p $port -c "$1" -P "$2" -n "$3" -r 100000 -d 100 -t "$4" --csv | tail -n +2 | cut -d, -f1,2,5,7 | tr '\n' ' '
        echo
    }
    title "redis $(redis-server --version | sed 's/.*v=\([^ ]*\).*/\1/'), appendfsync always: test, per second, p50 ms, p99 ms"
    run_redis --appendonly yes --appendfsync always
    for _ in 1 2 3; do ask 1 64 500000 set; done
    ask 1 1 20000 set
    kill "$pid" && wait "$pid" || true
    title "redis, in memory"
    run_redis --appendonly no
    ask 1 64 2000000 set,get
    ask 64 1 500000 set,get
    ask 50 64 2000000 set,get
    kill "$pid" && wait "$pid" || true
    title "flint, in memory, the same shapes"
    start memory
    for shape in "1 64" "64 1" "50 64"; do
        read -r connections depth <<<"$shape"
        for mix in upsert get; do bench -c "$connections" -d "$depth" --mix $mix; done
    done
    stop
}

milliseconds() { # of a start until the ready line
    local storage=(--in-memory) line
    [ "$1" = memory ] || storage=(--data-dir "$1")
    [ -p "$work/fifo" ] || mkfifo "$work/fifo"
    local begin=$EPOCHREALTIME
    "$flint" serve --listen 127.0.0.1:0 "${storage[@]}" >"$work/fifo" 2>"$work/log" &
    server=$!
    read -r line <"$work/fifo"
    local end=$EPOCHREALTIME
    address=${line#*igni=}
    echo "$(((${end/./} - ${begin/./}) / 100)) tenths of a millisecond"
}

resident() { awk '/VmRSS/ {printf "%.1f MiB resident\n", $2 / 1024}' "/proc/$server/status"; }

start_up() {
    title "from exec to the ready line, in memory and with a new directory (five times each)"
    for storage in memory "$work/data"; do
        for _ in 1 2 3 4 5; do
            milliseconds "$storage"
            resident
            stop
            rm -rf "$work/data"
        done
    done
    title "1 M rows: load, stop, start"
    start "$work/data"
    seconds=1 bench -c 1 -d 64 --mix get --keys 1000000 --keep
    resident
    stop
    for _ in 1 2; do
        milliseconds "$work/data"
        resident
        grep opened "$work/log"
        stop
        "$flint" checkpoint --data-dir "$work/data" || true
    done
    rm -rf "$work/data"
}

idle() {
    title "10,000 idle connections, 200 active ones"
    ulimit -n "$(ulimit -Hn)"
    [ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge 11000 ] || { echo "needs 11000 open files, see ulimit -n"; return 0; }
    start memory -- --max-connections 11000
    resident
    "$flint" bench --addr "$address" --seconds "$seconds" --idle 10000 -c 200 -d 1 --mix get 2>/dev/null &
    local client=$!
    sleep $((seconds / 2 + 4))
    resident
    wait "$client"
    stop
}

for section in "${@:-memory pinned durable redis start idle}"; do
    for name in $section; do
        case $name in
            start) start_up ;;
            memory | pinned | durable | redis | idle) "$name" ;;
            *) echo "no section $name" >&2; exit 2 ;;
        esac
    done
done
