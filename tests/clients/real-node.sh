# Sourced: start and stop a real Ignite 3.1.0 node (about 30 s, 1-2 GiB). The first start fetches it with Maven.
#   real_node_start   sets real_address and real_pid; the node's log is $real_dir/log
#   real_node_stop    ends it and removes its data; safe to call twice

real_home=$(cd "$(dirname "${BASH_SOURCE[0]}")/java/real-node" && pwd)
real_dir=

real_node_start() {
    mvn --batch-mode -Dstyle.color=never --quiet -f "$real_home/pom.xml" compile
    real_dir=$(mktemp -d)
    mkfifo "$real_dir/in"
    local opens=() package
    for package in lang lang.invoke lang.reflect io nio math util time; do
        opens+=("--add-opens=java.base/java.$package=ALL-UNNAMED")
    done
    java "${opens[@]}" --add-opens=java.base/jdk.internal.misc=ALL-UNNAMED --add-opens=java.base/jdk.internal.access=ALL-UNNAMED \
        -Dio.netty.tryReflectionSetAccessible=true "-Xmx${REAL_HEAP:-1g}" \
        -cp "$real_home/target/classes:$(cat "$real_home/target/classpath")" flint.realnode.RealNode \
        <"$real_dir/in" >"$real_dir/out" 2>"$real_dir/log" &
    real_pid=$!
    exec {real_in}>"$real_dir/in"
    until grep -q '^real-node ready' "$real_dir/out"; do
        kill -0 "$real_pid" 2>/dev/null || { tail -n 40 "$real_dir/log" >&2; return 1; }
        sleep 0.2
    done
    real_address=$(sed -n 's/^real-node ready igni=//p' "$real_dir/out")
}

real_node_stop() {
    [ -n "$real_dir" ] || return 0
    [ -z "${real_in:-}" ] || exec {real_in}>&-
    wait "$real_pid" 2>/dev/null || true
    rm -rf "$real_dir"
    real_dir=
}
