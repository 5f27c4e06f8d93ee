package flint.bench;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.ignite.client.IgniteClient;
import org.apache.ignite.table.RecordView;
import org.apache.ignite.table.Tuple;

/**
 * The same load on any server that speaks the protocol: {@code ADDRESS [SECONDS [SERVER_PID [sql]]]}.
 *
 * <p>One client, so one connection. Two drivers: eight threads that wait for each answer, and 64 operations in flight. Each workload warms up for
 * half its time. One line for each, of fields separated by tabs: driver, workload, operations per second, rows per second, median and 99th percentile in
 * microseconds, and the cores that client and server used (the server's from its process id, else {@code -}).
 */
public final class Bench {
    private static final int THREADS = 8;
    private static final int IN_FLIGHT = 64;
    private static final int BATCH = 100;
    private static final int ROWS = 100_000;
    private static final String VALUE = "v".repeat(100);
    private static final double TICKS_PER_SECOND = 100;
    private static final int SAMPLES_MAX = 1 << 20;

    private final RecordView<Tuple> view;
    private final IgniteClient client;
    private final double seconds;
    private final String serverPid;

    private Bench(IgniteClient client, RecordView<Tuple> view, double seconds, String serverPid) {
        this.client = client;
        this.view = view;
        this.seconds = seconds;
        this.serverPid = serverPid;
    }

    /** Runs all workloads against one server. */
    public static void main(String[] args) throws Exception {
        double seconds = args.length > 1 ? Double.parseDouble(args[1]) : 5;
        try (IgniteClient client = IgniteClient.builder().addresses(args[0]).build()) {
            if (args.length > 3 && args[3].equals("sql")) {
                new SqlBench(client, new Bench(client, null, seconds, args[2])).run();
                System.exit(0);
            }
            client.sql().execute(null, "DROP TABLE IF EXISTS BENCH").close();
            client.sql().execute(null, "CREATE TABLE BENCH (ID INT PRIMARY KEY, V VARCHAR)").close();
            new Bench(client, client.tables().table("BENCH").recordView(), seconds, args.length > 2 ? args[2] : null).run();
        }
        System.exit(0);
    }

    private void run() throws Exception {
        for (int from = 0; from < ROWS; from += 1000) {
            view.upsertAll(null, rows(from, 1000));
        }
        drive(workloads());
    }

    /** Drives workloads in both ways, and prints what was measured. */
    void drive(Map<String, Workload> workloads) throws Exception {
        System.out.println("driver\tworkload\tops/s\trows/s\tp50 us\tp99 us\tclient cores\tserver cores");
        for (Map.Entry<String, Workload> entry : workloads.entrySet()) {
            drive("8 threads", entry.getKey(), entry.getValue(), THREADS, true);
            drive("64 in flight", entry.getKey(), entry.getValue(), IN_FLIGHT, false);
        }
    }

    /** Measures one thing that takes long, a few times. */
    void repeat(String name, Workload workload) throws Exception {
        drive("1 thread", name, workload, 1, true);
    }

    /** A workload: the lane keeps concurrent transactions off each other's rows. */
    interface Workload {
        CompletableFuture<?> start(int lane);

        default int rows() {
            return 1;
        }
    }

    private Map<String, Workload> workloads() {
        Map<String, Workload> all = new LinkedHashMap<>();
        all.put("upsert", lane -> view.upsertAsync(null, row(random(ROWS))));
        all.put("get", lane -> view.getAsync(null, key(random(ROWS))));
        all.put("upsertAll 100", new Batch(from -> view.upsertAllAsync(null, rows(from, BATCH))));
        all.put("getAll 100", new Batch(from -> view.getAllAsync(null, keys(from))));
        all.put("transaction", lane -> client.transactions().beginAsync().thenCompose(tx -> {
            int base = lane * (ROWS / IN_FLIGHT) + random(ROWS / IN_FLIGHT / 2) * 2;
            return view.upsertAsync(tx, row(base)).thenCompose(done -> view.upsertAsync(tx, row(base + 1)))
                    .thenCompose(done -> tx.commitAsync());
        }));
        return all;
    }

    private record Batch(java.util.function.IntFunction<CompletableFuture<?>> call) implements Workload {
        @Override
        public CompletableFuture<?> start(int lane) {
            return call.apply(lane * (ROWS / IN_FLIGHT) + random(ROWS / IN_FLIGHT - BATCH));
        }

        @Override
        public int rows() {
            return BATCH;
        }
    }

    private void drive(String driver, String name, Workload workload, int lanes, boolean threads) throws Exception {
        measure(workload, lanes, threads, seconds / 2);
        Measured m = measure(workload, lanes, threads, seconds);
        System.out.printf("%s\t%s\t%.0f\t%.0f\t%d\t%d\t%.2f\t%s%n", driver, name, m.rate, m.rate * workload.rows(), m.median, m.high,
                m.clientCores, m.serverCores < 0 ? "-" : String.format("%.2f", m.serverCores));
    }

    private record Measured(double rate, long median, long high, double clientCores, double serverCores) {
    }

    private Measured measure(Workload workload, int lanes, boolean threads, double time) throws Exception {
        long clientBefore = clientNanos();
        double serverBefore = serverSeconds();
        long start = System.nanoTime();
        long end = start + (long) (time * 1e9);
        List<Lane> all = new ArrayList<>();
        List<Thread> running = new ArrayList<>();
        for (int i = 0; i < lanes; i++) {
            Lane lane = new Lane(workload, i, end);
            all.add(lane);
            if (threads) {
                Thread thread = new Thread(lane);
                thread.start();
                running.add(thread);
            } else {
                lane.next();
            }
        }
        for (Thread thread : running) {
            thread.join();
        }
        for (Lane lane : all) {
            lane.ended.get();
        }
        double took = (System.nanoTime() - start) / 1e9;
        double clientCores = (clientNanos() - clientBefore) / 1e9 / took;
        double serverCores = serverBefore < 0 ? -1 : (serverSeconds() - serverBefore) / took;
        long done = all.stream().mapToLong(lane -> lane.done).sum();
        long[] micros = all.stream().flatMapToLong(lane -> Arrays.stream(lane.micros, 0, (int) Math.min(lane.done, lane.micros.length))).sorted()
                .toArray();
        return new Measured(done / took, micros[micros.length / 2], micros[(int) (micros.length * 0.99)], clientCores, serverCores);
    }

    /** One operation after the other, by waiting or by continuing. */
    private static final class Lane implements Runnable {
        private final Workload workload;
        private final int number;
        private final long end;
        private final CompletableFuture<Void> ended = new CompletableFuture<>();
        private final long[] micros = new long[SAMPLES_MAX / IN_FLIGHT];
        private volatile long done;

        private Lane(Workload workload, int number, long end) {
            this.workload = workload;
            this.number = number;
            this.end = end;
        }

        @Override
        public void run() {
            try {
                for (long now = System.nanoTime(); now < end; now = System.nanoTime()) {
                    workload.start(number).get();
                    took(now);
                }
                ended.complete(null);
            } catch (Exception e) {
                ended.completeExceptionally(e);
            }
        }

        private void next() {
            long now = System.nanoTime();
            if (now >= end) {
                ended.complete(null);
                return;
            }
            workload.start(number).whenComplete((value, error) -> {
                if (error != null) {
                    ended.completeExceptionally(error);
                } else {
                    took(now);
                    next();
                }
            });
        }

        private void took(long since) {
            micros[(int) (done % micros.length)] = (System.nanoTime() - since) / 1000;
            done++;
        }
    }

    static int random(int bound) {
        return ThreadLocalRandom.current().nextInt(bound);
    }

    private static Tuple key(int id) {
        return Tuple.create(1).set("ID", id);
    }

    private static Tuple row(int id) {
        return Tuple.create(2).set("ID", id).set("V", VALUE);
    }

    /** Bytes that the server has in memory, or 0. */
    long serverBytes() throws IOException {
        if (serverPid == null) {
            return 0;
        }
        for (String line : Files.readAllLines(Path.of("/proc", serverPid, "status"))) {
            if (line.startsWith("VmRSS:")) {
                return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
            }
        }
        return 0;
    }

    private static List<Tuple> rows(int from, int count) {
        List<Tuple> rows = new ArrayList<>(count);
        for (int i = from; i < from + count; i++) {
            rows.add(row(i));
        }
        return rows;
    }

    private static List<Tuple> keys(int from) {
        List<Tuple> keys = new ArrayList<>(BATCH);
        for (int i = from; i < from + BATCH; i++) {
            keys.add(key(i));
        }
        return keys;
    }

    private static long clientNanos() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    private double serverSeconds() throws IOException {
        if (serverPid == null) {
            return -1;
        }
        String stat = Files.readString(Path.of("/proc", serverPid, "stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / TICKS_PER_SECOND;
    }
}
