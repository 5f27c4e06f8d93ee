package flint.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.ignite.client.IgniteClient;
import org.apache.ignite.sql.ResultSet;
import org.apache.ignite.sql.SqlRow;
import org.apache.ignite.sql.Statement;
import org.apache.ignite.sql.async.AsyncResultSet;
import org.apache.ignite.table.RecordView;
import org.apache.ignite.table.Tuple;

/** SQL by key and by range from many lanes, and queries over a million rows from one. */
final class SqlBench {
    private static final int ROWS = 1_000_000;
    private static final int JOINED = 100_000;
    private static final int GROUPS = 1000;
    private static final int RANGE = 100;
    private static final int PAGE = 10_000;
    private static final int LOAD = 1000;
    private static final String VALUE = "v".repeat(20);

    private final IgniteClient client;
    private final Bench bench;

    SqlBench(IgniteClient client, Bench bench) {
        this.client = client;
        this.bench = bench;
    }

    void run() throws Exception {
        create("FACTS", "ID INT PRIMARY KEY, G INT, N INT, V VARCHAR", ROWS);
        create("LEFTS", "ID INT PRIMARY KEY, G INT, N INT, V VARCHAR", JOINED);
        create("RIGHTS", "ID INT PRIMARY KEY, G INT, N INT, V VARCHAR", JOINED);
        create("NEWS", "ID INT PRIMARY KEY, V VARCHAR", 0);
        bench.drive(workloads());
        scan("count and sum", "SELECT COUNT(*), SUM(N) FROM FACTS", 1);
        scan("group by", "SELECT G, COUNT(*), SUM(N) FROM FACTS GROUP BY G", GROUPS);
        scan("join", "SELECT COUNT(*), SUM(L.N) FROM LEFTS L JOIN RIGHTS R ON L.N = R.ID", 1);
        long before = bench.serverBytes();
        scan("fetch in pages", "SELECT * FROM FACTS", ROWS);
        System.err.printf("resident before and after paging: %d and %d MiB%n", before >> 20, bench.serverBytes() >> 20);
    }

    private void create(String name, String columns, int rows) {
        client.sql().execute(null, "DROP TABLE IF EXISTS " + name).close();
        client.sql().execute(null, "CREATE TABLE " + name + " (" + columns + ")").close();
        RecordView<Tuple> view = client.tables().table(name).recordView();
        for (int from = 0; from < rows; from += LOAD) {
            List<Tuple> batch = new ArrayList<>(LOAD);
            for (int id = from; id < from + LOAD; id++) {
                batch.add(Tuple.create().set("ID", id).set("G", id % GROUPS).set("N", (id * 7) % JOINED).set("V", VALUE));
            }
            view.upsertAll(null, batch);
        }
    }

    private Map<String, Bench.Workload> workloads() {
        AtomicInteger next = new AtomicInteger();
        Map<String, Bench.Workload> all = new LinkedHashMap<>();
        all.put("select", lane -> first("SELECT V FROM FACTS WHERE ID = ?", Bench.random(ROWS)));
        all.put("insert", lane -> first("INSERT INTO NEWS VALUES (?, ?)", next.getAndIncrement(), VALUE));
        all.put("update", lane -> first("UPDATE FACTS SET V = ? WHERE ID = ?", VALUE, Bench.random(ROWS)));
        all.put("range of 100", lane -> {
            int from = Bench.random(ROWS - RANGE);
            return first("SELECT ID, V FROM FACTS WHERE ID >= ? AND ID < ?", from, from + RANGE);
        });
        return all;
    }

    /** Runs a statement whose rows fit one page. */
    private CompletableFuture<?> first(String text, Object... arguments) {
        return client.sql().executeAsync(null, text, arguments).thenCompose(AsyncResultSet::closeAsync);
    }

    /** Runs a query to its end, and sees to it that it has all its rows. */
    private void scan(String name, String text, int rows) throws Exception {
        Statement statement = client.sql().statementBuilder().query(text).pageSize(PAGE).build();
        bench.repeat(name, lane -> {
            int count = 0;
            try (ResultSet<SqlRow> result = client.sql().execute(null, statement)) {
                for (; result.hasNext(); count++) {
                    result.next();
                }
            }
            if (count != rows) {
                throw new IllegalStateException(name + ": " + count + " rows, not " + rows);
            }
            return CompletableFuture.completedFuture(null);
        });
    }
}
