#!/usr/bin/env bash
# The official Java client's load on a real Ignite 3.1.0 node and on flint, one after the other on the same machine, and the ratios.
#
#   benches/peer.sh [SECONDS] [sql]     seconds per figure (default 10); a first run fetches the node with Maven
#
# With `sql`: statements instead of table operations, also by Python's driver, on a build with the query engine.
#
#   FLINT            the binary (default: the release build)
#   FLINT_STORAGE    its storage flags (default: a durable temporary directory, every commit synced)
#   REAL_HEAP        the node's heap (default 2g)
#
# Close everything else first: with two cores, one other busy process halves every figure.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
seconds=${1:-10}
mode=${2:-tuples}
target=${CARGO_TARGET_DIR:-$root/target}
profile=(--release)
flint=$target/release/flint
if [ "$mode" = sql ]; then
    profile=(--profile release-sql --features sql)
    flint=$target/release-sql/flint
fi
[ -n "${FLINT:-}" ] || (cd "$root" && cargo build --locked --quiet "${profile[@]}")
flint=${FLINT:-$flint}
export REAL_HEAP=${REAL_HEAP:-2g}
# shellcheck source=tests/clients/real-node.sh
. "$root/tests/clients/real-node.sh"
work=$(mktemp -d)
server=
cleanup() {
    real_node_stop
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

cd "$root/tests/clients/java"
mvn --batch-mode -Dstyle.color=never --quiet compile
python=
if [ "$mode" = sql ]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --requirement "$root/tests/clients/python/requirements.txt"
    python=$work/venv/bin/python
fi
load() {
    java -cp "target/3.1.0/classes:$(cat target/3.1.0/classpath)" flint.bench.Bench "$1" "$seconds" "$2" "$mode" 2>"$work/client.log" ||
        { cat "$work/client.log" >&2; return 1; }
    grep resident "$work/client.log" >&2 || true
    [ -z "$python" ] || "$python" "$root/tests/clients/python/bench.py" "$1" "$seconds"
}
rss() { awk '/VmRSS/ { printf "%.0f MiB\n", $2 / 1024 }' "/proc/$1/status"; }

before=$(date +%s%N)
real_node_start
echo "real node: ready after $((($(date +%s%N) - before) / 1000000)) ms"
load "$real_address" "$real_pid" | tee "$work/real"
echo "real node: resident $(rss "$real_pid")"
real_node_stop

before=$(date +%s%N)
# shellcheck disable=SC2086 # several words
"$flint" serve --listen 127.0.0.1:0 ${FLINT_STORAGE:---data-dir "$work/data"} >"$work/ready" 2>"$work/log" &
server=$!
until grep -q igni= "$work/ready"; do
    kill -0 "$server" || { cat "$work/log"; exit 1; }
    sleep 0.001
done
echo "flint: ready after $((($(date +%s%N) - before) / 1000000)) ms"
load "$(sed 's/.*igni=//' "$work/ready")" "$server" | tee "$work/flint"
echo "flint: resident $(rss "$server")"

echo
echo "flint to real node, operations per second:"
paste "$work/real" "$work/flint" | awk -F'\t' 'NR > 1 { printf "%-14s %-14s %9.1f %9.1f  %6.1fx\n", $1, $2, $3, $(NF / 2 + 3), $(NF / 2 + 3) / $3 }'
