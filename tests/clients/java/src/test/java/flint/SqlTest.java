package flint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.ignite.client.IgniteClient;
import org.apache.ignite.lang.CancelHandle;
import org.apache.ignite.lang.ErrorGroups;
import org.apache.ignite.lang.IgniteException;
import org.apache.ignite.sql.BatchedArguments;
import org.apache.ignite.sql.ColumnMetadata;
import org.apache.ignite.sql.ColumnType;
import org.apache.ignite.sql.IgniteSql;
import org.apache.ignite.sql.ResultSet;
import org.apache.ignite.sql.SqlBatchException;
import org.apache.ignite.sql.SqlException;
import org.apache.ignite.sql.SqlRow;
import org.apache.ignite.sql.Statement;
import org.apache.ignite.sql.async.AsyncResultSet;
import org.apache.ignite.table.mapper.Mapper;
import org.apache.ignite.tx.Transaction;
import org.apache.ignite.tx.TransactionOptions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Everything that {@code sql()} offers: results, pages, types, scripts, batches, transactions, cancelling, errors. */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class SqlTest {
    /** Runs for hours unless somebody stops it. */
    private static final String ENDLESS = "SELECT COUNT(*) FROM TABLE(SYSTEM_RANGE(1, 3000000)) A, "
            + "TABLE(SYSTEM_RANGE(1, 3000000)) B WHERE A.X + B.X = 1";

    private static final String CLIENT = System.getProperty("ignite.client", "3.1.0");

    private static FlintServer server;
    private static IgniteClient client;
    private static IgniteSql sql;
    private static boolean queries = true;

    @BeforeAll
    static void start() throws Exception {
        server = FlintServer.inMemory();
        client = Clients.connect(server.address());
        sql = client.sql();
        try {
            sql.execute(null, "SELECT COUNT(*) FROM TABLE(SYSTEM_RANGE(1, 2))").close();
        } catch (SqlException e) {
            queries = !e.getMessage().contains("--features sql");
        }
    }

    @BeforeEach
    void needQueries() {
        assumeTrue(queries, "this flint was built without its query engine (feature sql)");
    }

    @AfterAll
    static void stop() {
        if (client != null) {
            client.close();
        }
        if (server != null) {
            server.close();
        }
    }

    // Results

    @Test
    void ddl_says_whether_it_was_applied() {
        try (ResultSet<SqlRow> made = sql.execute(null, "CREATE TABLE IF NOT EXISTS DDL1 (ID INT PRIMARY KEY)")) {
            assertTrue(made.wasApplied());
            assertFalse(made.hasRowSet());
            assertEquals(-1, made.affectedRows());
            assertNull(made.metadata());
        }
        try (ResultSet<SqlRow> again = sql.execute(null, "CREATE TABLE IF NOT EXISTS DDL1 (ID INT PRIMARY KEY)")) {
            assertFalse(again.wasApplied());
        }
    }

    @Test
    void dml_says_how_many_rows() {
        table("DML1", 0);
        assertEquals(3, change(null, "INSERT INTO DML1 VALUES (1, 'a'), (2, 'b'), (3, 'c')"));
        assertEquals(2, change(null, "UPDATE DML1 SET V = 'z' WHERE ID > ?", 1));
        assertEquals(0, change(null, "DELETE FROM DML1 WHERE ID = 9"));
        assertEquals(List.of("1 a", "2 z", "3 z"), rows(null, "SELECT ID, V FROM DML1 ORDER BY ID"));
    }

    @Test
    void rows_are_iterated_and_described() {
        table("DESC1", 3);
        try (ResultSet<SqlRow> result = sql.execute(null, "SELECT ID, V AS TEXT, ID * 3 AS N FROM DESC1 ORDER BY 1")) {
            assertTrue(result.hasRowSet());
            assertFalse(result.wasApplied());
            assertEquals(-1, result.affectedRows());
            List<ColumnMetadata> columns = result.metadata().columns();
            assertEquals(List.of("ID", "TEXT", "N"), columns.stream().map(ColumnMetadata::name).toList());
            assertEquals(1, result.metadata().indexOf("TEXT"));
            assertEquals(-1, result.metadata().indexOf("NONE"));
            ColumnMetadata id = columns.get(0);
            assertEquals(ColumnType.INT32, id.type());
            assertEquals(Integer.class, id.valueClass());
            assertFalse(id.nullable());
            assertEquals("PUBLIC.DESC1.ID", origin(id));
            assertEquals("PUBLIC.DESC1.V", origin(columns.get(1)));
            assertNull(columns.get(2).origin());
            SqlRow first = result.next();
            assertEquals(3, first.columnCount());
            assertEquals("ID", first.columnName(0));
            assertEquals(1, first.intValue("ID"));
            assertEquals(1, first.intValue(0));
            assertEquals("v1", first.stringValue("TEXT"));
            assertEquals(3, first.intValue("N"));
            assertEquals(columns, first.metadata().columns());
            int left = 0;
            while (result.hasNext()) {
                result.next();
                left++;
            }
            assertEquals(2, left);
        }
    }

    @Test
    void an_empty_result_has_columns() {
        table("EMPTY1", 0);
        try (ResultSet<SqlRow> result = sql.execute(null, "SELECT * FROM EMPTY1")) {
            assertTrue(result.hasRowSet());
            assertFalse(result.hasNext());
            assertEquals(2, result.metadata().columns().size());
        }
    }

    // Pages

    @Test
    void pages_follow_one_another() throws Exception {
        table("PAGE1", 25);
        Statement statement = sql.statementBuilder().query("SELECT ID FROM PAGE1 ORDER BY ID").pageSize(10).build();
        assertEquals(10, statement.pageSize());
        AsyncResultSet<SqlRow> page = sql.executeAsync(null, statement).get();
        List<Integer> sizes = new ArrayList<>();
        List<Integer> ids = new ArrayList<>();
        while (true) {
            sizes.add(page.currentPageSize());
            page.currentPage().forEach(row -> ids.add(row.intValue(0)));
            if (!page.hasMorePages()) {
                break;
            }
            page = page.fetchNextPage().get();
        }
        assertEquals(List.of(10, 10, 5), sizes);
        assertEquals(numbers(1, 25), ids);
        AsyncResultSet<SqlRow> last = page;
        assertThrows(Exception.class, () -> last.fetchNextPage().get(), "there is no page behind the last one");
    }

    @Test
    void a_full_last_page_is_the_last() throws Exception {
        table("PAGE2", 20);
        Statement statement = sql.statementBuilder().query("SELECT ID FROM PAGE2 ORDER BY ID").pageSize(10).build();
        AsyncResultSet<SqlRow> first = sql.executeAsync(null, statement).get();
        assertTrue(first.hasMorePages());
        AsyncResultSet<SqlRow> second = first.fetchNextPage().get();
        assertEquals(10, second.currentPageSize());
        assertFalse(second.hasMorePages());
    }

    @Test
    void many_rows_come_through_one_cursor() {
        String range = "SELECT X FROM TABLE(SYSTEM_RANGE(1, 20000)) ORDER BY X";
        long expected = 1;
        for (int pageSize : new int[] {1, 1000, 1024, 50_000}) {
            String text = pageSize == 1 ? "SELECT X FROM TABLE(SYSTEM_RANGE(1, 300)) ORDER BY X" : range;
            Statement statement = sql.statementBuilder().query(text).pageSize(pageSize).build();
            expected = 1;
            try (ResultSet<SqlRow> result = sql.execute(null, statement)) {
                while (result.hasNext()) {
                    assertEquals(expected++, result.next().longValue(0));
                }
            }
            assertEquals(pageSize == 1 ? 301 : 20_001, expected);
        }
    }

    @Test
    void a_cursor_keeps_its_snapshot_and_can_be_given_up() throws Exception {
        table("SNAP1", 30);
        Statement statement = sql.statementBuilder().query("SELECT ID FROM SNAP1 ORDER BY ID").pageSize(10).build();
        try (ResultSet<SqlRow> result = sql.execute(null, statement)) {
            assertEquals(1, result.next().intValue(0));
            change(null, "DELETE FROM SNAP1");
            int count = 1;
            while (result.hasNext()) {
                result.next();
                count++;
            }
            assertEquals(30, count);
        }
        table("SNAP2", 30);
        AsyncResultSet<SqlRow> given = sql.executeAsync(null, "SELECT ID FROM SNAP2").get();
        given.closeAsync().get();
        for (int i = 0; i < 2_000; i++) {
            // More than a connection may hold open at a time.
            sql.execute(null, sql.statementBuilder().query("SELECT ID FROM SNAP2").pageSize(1).build()).close();
        }
        assertEquals(List.of("30"), rows(null, "SELECT COUNT(*) FROM SNAP2"));
    }

    @Test
    void cursors_do_not_disturb_each_other() {
        table("TWO1", 40);
        Statement up = sql.statementBuilder().query("SELECT ID FROM TWO1 ORDER BY ID").pageSize(3).build();
        Statement down = sql.statementBuilder().query("SELECT ID FROM TWO1 ORDER BY ID DESC").pageSize(7).build();
        try (ResultSet<SqlRow> a = sql.execute(null, up); ResultSet<SqlRow> b = sql.execute(null, down)) {
            for (int i = 1; i <= 40; i++) {
                assertEquals(i, a.next().intValue(0));
                assertEquals(41 - i, b.next().intValue(0));
            }
        }
    }

    @Test
    void requests_run_beside_each_other() throws Exception {
        table("MANY1", 10);
        List<CompletableFuture<AsyncResultSet<SqlRow>>> all = new ArrayList<>();
        for (int i = 1; i <= 200; i++) {
            all.add(sql.executeAsync(null, "SELECT V FROM MANY1 WHERE ID = ?", 1 + i % 10));
        }
        for (int i = 1; i <= 200; i++) {
            assertEquals("v" + (1 + i % 10), all.get(i - 1).get().currentPage().iterator().next().stringValue(0));
        }
    }

    // Types

    private static final Object[] VALUES = {
        7, true, (byte) -8, (short) 16_000, 1L << 40, 1.5f, -2.25, new BigDecimal("12345.67890"), LocalDate.of(2024, 2, 29),
        LocalTime.of(1, 2, 3, 456_000_000), LocalDateTime.of(2024, 2, 29, 1, 2, 3, 456_000_000),
        Instant.parse("2024-02-29T01:02:03.456Z"), new UUID(1, 2), "grün 😀", new byte[] {0, 1, -1}
    };

    private static void types(String name) {
        sql.execute(null, "CREATE TABLE " + name + " (ID INT PRIMARY KEY, B BOOLEAN, I8 TINYINT, I16 SMALLINT, I64 BIGINT, F32 REAL, "
                + "F64 DOUBLE, DE DECIMAL(20, 5), D DATE, T TIME(3), TS TIMESTAMP(3), TSL TIMESTAMP(3) WITH LOCAL TIME ZONE, "
                + "U UUID, S VARCHAR(50), BI VARBINARY(60))").close();
        String insert = "INSERT INTO " + name + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        assertEquals(1, change(null, insert, VALUES));
    }

    @Test
    void every_type_is_stored_and_read() {
        types("TYPES1");
        try (ResultSet<SqlRow> result = sql.execute(null, "SELECT * FROM TYPES1")) {
            SqlRow row = result.next();
            assertEquals(7, row.intValue("ID"));
            assertTrue(row.booleanValue("B"));
            assertEquals((byte) -8, row.byteValue("I8"));
            assertEquals((short) 16_000, row.shortValue("I16"));
            assertEquals(1L << 40, row.longValue("I64"));
            assertEquals(1.5f, row.floatValue("F32"));
            assertEquals(-2.25, row.doubleValue("F64"));
            assertEquals(0, new BigDecimal("12345.6789").compareTo(row.decimalValue("DE")));
            assertEquals(LocalDate.of(2024, 2, 29), row.dateValue("D"));
            assertEquals(LocalTime.of(1, 2, 3, 456_000_000), row.timeValue("T"));
            assertEquals(LocalDateTime.of(2024, 2, 29, 1, 2, 3, 456_000_000), row.datetimeValue("TS"));
            assertEquals(Instant.parse("2024-02-29T01:02:03.456Z"), row.timestampValue("TSL"));
            assertEquals(new UUID(1, 2), row.uuidValue("U"));
            assertEquals("grün 😀", row.stringValue("S"));
            assertArrayEquals(new byte[] {0, 1, -1}, row.value("BI"));
            assertEquals(List.of(
                    "ID INT32 10 0 false", "B BOOLEAN 1 - true", "I8 INT8 3 0 true", "I16 INT16 5 0 true", "I64 INT64 19 0 true",
                    "F32 FLOAT 7 - true", "F64 DOUBLE 15 - true", "DE DECIMAL 20 5 true", "D DATE 0 - true", "T TIME 3 - true",
                    "TS DATETIME 3 - true", "TSL TIMESTAMP 3 - true", "U UUID - - true", "S STRING 50 - true",
                    "BI BYTE_ARRAY 60 - true"), described(result));
        }
    }

    @Test
    void nulls_of_every_type() {
        types("TYPES2");
        assertEquals(1, change(null, "INSERT INTO TYPES2 (ID) VALUES (8)"));
        Object[] nulls = new Object[VALUES.length];
        nulls[0] = 9;
        assertEquals(1, change(null, "INSERT INTO TYPES2 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", nulls));
        try (ResultSet<SqlRow> result = sql.execute(null, "SELECT * FROM TYPES2 WHERE ID > 7 ORDER BY ID")) {
            for (int id = 8; id <= 9; id++) {
                SqlRow row = result.next();
                assertEquals(id, row.intValue(0));
                for (int i = 1; i < VALUES.length; i++) {
                    assertNull(row.value(i), row.columnName(i));
                }
            }
        }
    }

    @Test
    void a_parameter_of_every_type_finds_its_row() {
        types("TYPES3");
        String[] columns = {"ID", "B", "I8", "I16", "I64", "F32", "F64", "DE", "D", "T", "TS", "TSL", "U", "S", "BI"};
        for (int i = 0; i < columns.length; i++) {
            List<String> found = rows(null, "SELECT ID FROM TYPES3 WHERE " + columns[i] + " = ?", VALUES[i]);
            assertEquals(List.of("7"), found, columns[i]);
        }
        assertEquals(List.of(), rows(null, "SELECT ID FROM TYPES3 WHERE S = ?", new Object[] {null}));
    }

    @Test
    void parameters_come_back_as_they_went() {
        for (Object value : VALUES) {
            try (ResultSet<SqlRow> result = sql.execute(null, "SELECT ? AS V", value)) {
                ColumnMetadata column = result.metadata().columns().get(0);
                Object found = result.next().value("V");
                assertEquals(column.valueClass(), found.getClass());
                if (value instanceof byte[] bytes) {
                    assertArrayEquals(bytes, (byte[]) found);
                } else if (value instanceof BigDecimal decimal) {
                    assertEquals(0, decimal.compareTo((BigDecimal) found), () -> decimal + " " + found);
                } else {
                    assertEquals(value, found);
                }
            }
        }
        try (ResultSet<SqlRow> result = sql.execute(null, "SELECT ? AS V", new Object[] {null})) {
            assertNull(result.next().value("V"));
        }
    }

    @Test
    void calculated_columns_have_types() {
        String text = "SELECT 1 + 1, 7 / 2, 1.5 + 1, 1e0 * 2, 'a' || 'b', ID > 1, COUNT(*), SUM(ID), AVG(ID), MAX(V), NULL AS N "
                + "FROM CALC1 GROUP BY ID";
        table("CALC1", 1);
        try (ResultSet<SqlRow> result = sql.execute(null, text)) {
            List<ColumnType> types = result.metadata().columns().stream().map(ColumnMetadata::type).toList();
            assertEquals(List.of(ColumnType.INT32, ColumnType.INT32, ColumnType.DECIMAL, ColumnType.DOUBLE, ColumnType.STRING,
                    ColumnType.BOOLEAN, ColumnType.INT64, ColumnType.INT64, ColumnType.DECIMAL, ColumnType.STRING, ColumnType.NULL),
                    types);
            SqlRow row = result.next();
            assertEquals(3, row.intValue(1));
            assertEquals(new BigDecimal("2.5"), row.decimalValue(2));
            assertEquals("ab", row.stringValue(4));
        }
    }

    // Objects

    /** A row of {@link #table}. */
    static class Pojo {
        Integer id;
        String v;

        Pojo() {
        }
    }

    @Test
    void rows_become_objects() throws Exception {
        table("OBJ1", 25);
        Statement statement = sql.statementBuilder().query("SELECT ID, V FROM OBJ1 ORDER BY ID").pageSize(10).build();
        try (ResultSet<Pojo> result = sql.execute(null, Mapper.of(Pojo.class), statement)) {
            for (int i = 1; i <= 25; i++) {
                Pojo row = result.next();
                assertEquals(i, row.id);
                assertEquals("v" + i, row.v);
            }
            assertFalse(result.hasNext());
        }
        try (ResultSet<String> result = sql.execute(null, Mapper.of(String.class), "SELECT V FROM OBJ1 WHERE ID = ?", 3)) {
            assertEquals("v3", result.next());
        }
        AsyncResultSet<Pojo> page = sql.executeAsync(null, Mapper.of(Pojo.class), statement).get();
        assertEquals("v1", page.currentPage().iterator().next().v);
        page.closeAsync().get();
        assertThrows(IgniteException.class, () -> {
            try (ResultSet<Pojo> result = sql.execute(null, Mapper.of(Pojo.class), "SELECT ID AS OTHER FROM OBJ1")) {
                result.next();
            }
        });
    }

    // Scripts

    @Test
    void scripts_run_statement_by_statement() throws Exception {
        sql.executeScript("CREATE TABLE SCR1 (ID INT PRIMARY KEY, V VARCHAR); INSERT INTO SCR1 VALUES (1, 'a;b'); -- a remark\n"
                + "INSERT INTO SCR1 VALUES (?, ?); UPDATE SCR1 SET V = ? WHERE ID = 2; SELECT * FROM SCR1;", 2, "b", "c");
        assertEquals(List.of("1 a;b", "2 c"), rows(null, "SELECT ID, V FROM SCR1 ORDER BY ID"));
        sql.executeScript("START TRANSACTION; DELETE FROM SCR1; INSERT INTO SCR1 VALUES (3, 'd'); COMMIT");
        assertEquals(List.of("3 d"), rows(null, "SELECT ID, V FROM SCR1 ORDER BY ID"));
        sql.executeScriptAsync("INSERT INTO SCR1 VALUES (4, 'e'); INSERT INTO SCR1 VALUES (5, 'f')").get();
        assertEquals(List.of("3"), rows(null, "SELECT COUNT(*) FROM SCR1"));
    }

    @Test
    void a_failing_script_stops_there() {
        table("SCR2", 1);
        fails(ErrorGroups.Sql.CONSTRAINT_VIOLATION_ERR, "PK unique constraint is violated", () -> sql.executeScript(
                "INSERT INTO SCR2 VALUES (2, 'b'); INSERT INTO SCR2 VALUES (1, 'again'); INSERT INTO SCR2 VALUES (3, 'c')"));
        assertEquals(List.of("1", "2"), rows(null, "SELECT ID FROM SCR2 ORDER BY ID"));
        fails(ErrorGroups.Sql.STMT_PARSE_ERR, "Failed to parse query", () -> sql.executeScript("DELETE FROM SCR2; SELEC 1"));
        fails(ErrorGroups.Sql.RUNTIME_ERR, "COMMIT", () -> sql.executeScript("START TRANSACTION; DELETE FROM SCR2"));
        fails(ErrorGroups.Sql.RUNTIME_ERR, "Division by zero",
                () -> sql.executeScript("START TRANSACTION; DELETE FROM SCR2; SELECT 1 / 0; COMMIT"));
        assertEquals(List.of("1", "2"), rows(null, "SELECT ID FROM SCR2 ORDER BY ID"));
    }

    // Batches

    @Test
    void batches_count_each_run() throws Exception {
        table("BAT1", 0);
        BatchedArguments rows = BatchedArguments.create();
        for (int i = 1; i <= 1_000; i++) {
            rows.add(i, "v" + i);
        }
        long[] counts = sql.executeBatch(null, "INSERT INTO BAT1 VALUES (?, ?)", rows);
        assertEquals(1_000, counts.length);
        assertEquals(1_000, java.util.Arrays.stream(counts).sum());
        assertArrayEquals(new long[] {10, 0, 1}, sql.executeBatchAsync(null, "UPDATE BAT1 SET V = 'x' WHERE ID BETWEEN ? AND ?",
                BatchedArguments.of(1, 10).add(2_000, 3_000).add(7, 7)).get());
    }

    @Test
    void a_failing_batch_tells_what_ran() {
        table("BAT2", 0);
        BatchedArguments rows = BatchedArguments.of(1, "a").add(2, "b").add(1, "again").add(3, "c");
        SqlBatchException e = assertThrows(SqlBatchException.class,
                () -> sql.executeBatch(null, "INSERT INTO BAT2 VALUES (?, ?)", rows));
        assertEquals(ErrorGroups.Sql.CONSTRAINT_VIOLATION_ERR, e.code());
        assertArrayEquals(new long[] {1, 1}, e.updateCounters());
        assertEquals(List.of("1 a", "2 b"), rows(null, "SELECT ID, V FROM BAT2 ORDER BY ID"));
        SqlBatchException query = assertThrows(SqlBatchException.class,
                () -> sql.executeBatch(null, "SELECT * FROM BAT2 WHERE ID = ?", BatchedArguments.of(1)));
        assertEquals("Invalid SQL statement type. Expected [DML] but got QUERY.", query.getMessage());
        assertArrayEquals(new long[0], query.updateCounters());
    }

    @Test
    void a_batch_belongs_to_its_transaction() {
        table("BAT3", 0);
        Transaction tx = client.transactions().begin();
        // Clients of 3.0 do not begin it with a batch.
        assertEquals(List.of("0"), rows(tx, "SELECT COUNT(*) FROM BAT3"));
        assertArrayEquals(new long[] {1, 1},
                sql.executeBatch(tx, "INSERT INTO BAT3 VALUES (?, ?)", BatchedArguments.of(1, "a").add(2, "b")));
        assertEquals(List.of("2"), rows(tx, "SELECT COUNT(*) FROM BAT3"));
        assertEquals(List.of("0"), rows(null, "SELECT COUNT(*) FROM BAT3"));
        tx.rollback();
        assertEquals(List.of("0"), rows(null, "SELECT COUNT(*) FROM BAT3"));
    }

    // Transactions

    @Test
    void a_transaction_sees_its_own_writes() {
        table("TX1", 2);
        Transaction tx = client.transactions().begin();
        assertEquals(1, change(tx, "INSERT INTO TX1 VALUES (3, 'c')"));
        assertEquals(2, change(tx, "UPDATE TX1 SET V = 'new' WHERE ID <> 2"));
        assertEquals(List.of("1 new", "2 v2", "3 new"), rows(tx, "SELECT ID, V FROM TX1 ORDER BY ID"));
        assertEquals(List.of("1 v1", "2 v2"), rows(null, "SELECT ID, V FROM TX1 ORDER BY ID"));
        // Tables and SQL share it.
        client.tables().table("TX1").recordView().upsert(tx, Clients.row(4, "d"));
        assertEquals(List.of("4"), rows(tx, "SELECT COUNT(*) FROM TX1"));
        tx.commit();
        assertEquals(List.of("1 new", "2 v2", "3 new", "4 d"), rows(null, "SELECT ID, V FROM TX1 ORDER BY ID"));
    }

    @Test
    void a_rollback_leaves_nothing() {
        table("TX2", 1);
        Transaction tx = client.transactions().begin();
        change(tx, "DELETE FROM TX2");
        change(tx, "INSERT INTO TX2 VALUES (5, 'e')");
        tx.rollback();
        assertEquals(List.of("1 v1"), rows(null, "SELECT ID, V FROM TX2"));
    }

    @Test
    void a_read_only_transaction_sees_one_moment() {
        table("TX3", 2);
        Transaction tx = client.transactions().begin(new TransactionOptions().readOnly(true));
        assertEquals(List.of("2"), rows(tx, "SELECT COUNT(*) FROM TX3"));
        change(null, "INSERT INTO TX3 VALUES (3, 'c')");
        assertEquals(List.of("2"), rows(tx, "SELECT COUNT(*) FROM TX3"));
        fails(ErrorGroups.Sql.RUNTIME_ERR, "DML cannot be started by using read only transactions.",
                () -> change(tx, "DELETE FROM TX3"));
        assertEquals(List.of("2"), rows(tx, "SELECT COUNT(*) FROM TX3"));
        tx.commit();
        assertEquals(List.of("3"), rows(null, "SELECT COUNT(*) FROM TX3"));
    }

    @Test
    void what_fails_while_it_runs_ends_the_transaction() {
        table("TX4", 1);
        Transaction tx = client.transactions().begin();
        change(tx, "INSERT INTO TX4 VALUES (2, 'b')");
        // Neither of these has run.
        fails(ErrorGroups.Sql.STMT_PARSE_ERR, "Failed to parse query", () -> change(tx, "SELEC 1"));
        fails(ErrorGroups.Sql.STMT_VALIDATION_ERR, "not found", () -> change(tx, "SELECT * FROM NO_SUCH_TABLE"));
        fails(ErrorGroups.Sql.RUNTIME_ERR, "DDL doesn't support transactions.", () -> change(tx, "DROP TABLE TX4"));
        assertEquals(List.of("2"), rows(tx, "SELECT COUNT(*) FROM TX4"));
        fails(ErrorGroups.Sql.CONSTRAINT_VIOLATION_ERR, "PK unique", () -> change(tx, "INSERT INTO TX4 VALUES (1, 'again')"));
        IgniteException e = assertThrows(IgniteException.class, () -> rows(tx, "SELECT COUNT(*) FROM TX4"));
        assertEquals("TX", e.groupName(), e::toString);
        tx.rollback();
        assertEquals(List.of("1"), rows(null, "SELECT COUNT(*) FROM TX4"));
    }

    // Cancelling and time-outs

    @Test
    void a_running_query_is_cancelled() throws Exception {
        assumeCancellation();
        CancelHandle handle = CancelHandle.create();
        CompletableFuture<AsyncResultSet<SqlRow>> running = sql.executeAsync(null, handle.token(), ENDLESS);
        handle.cancelAsync().get();
        cancelled(running);
        assertTrue(handle.isCancelled());
        assertEquals(List.of("1"), rows(null, "SELECT 1"), "the connection goes on");
    }

    @Test
    void a_change_that_waits_for_a_lock_is_cancelled() throws Exception {
        assumeCancellation();
        table("CAN1", 1);
        Transaction tx = client.transactions().begin();
        change(tx, "UPDATE CAN1 SET V = 'tx' WHERE ID = 1");
        CancelHandle handle = CancelHandle.create();
        CompletableFuture<AsyncResultSet<SqlRow>> waiting =
                sql.executeAsync(null, handle.token(), "UPDATE CAN1 SET V = 'cancelled' WHERE ID = 1");
        assertEquals(List.of("v1"), rows(null, "SELECT V FROM CAN1"));
        assertFalse(waiting.isDone());
        handle.cancelAsync().get();
        cancelled(waiting);
        tx.commit();
        assertEquals(List.of("tx"), rows(null, "SELECT V FROM CAN1"));
    }

    @Test
    void a_script_is_cancelled() throws Exception {
        assumeCancellation();
        table("CAN2", 0);
        CancelHandle handle = CancelHandle.create();
        CompletableFuture<Void> running =
                sql.executeScriptAsync(handle.token(), "INSERT INTO CAN2 VALUES (1, 'a'); " + ENDLESS + "; INSERT INTO CAN2 VALUES (2, 'b')");
        Clients.retry(() -> {
            if (rows(null, "SELECT ID FROM CAN2").isEmpty()) {
                throw new IllegalStateException("its first statement has not run");
            }
            return null;
        });
        handle.cancelAsync().get();
        cancelled(running);
        assertEquals(List.of("1"), rows(null, "SELECT ID FROM CAN2"));
    }

    @Test
    void a_handle_that_was_used_starts_nothing() {
        assumeCancellation();
        table("CAN3", 0);
        CancelHandle handle = CancelHandle.create();
        handle.cancel();
        assertThrows(Exception.class, () -> sql.execute(null, handle.token(), "INSERT INTO CAN3 VALUES (1, 'a')").close());
    }

    @Test
    void a_statement_ends_with_its_time() {
        Statement statement = sql.statementBuilder().query(ENDLESS).queryTimeout(300, TimeUnit.MILLISECONDS).build();
        assertEquals(300, statement.queryTimeout(TimeUnit.MILLISECONDS));
        fails(ErrorGroups.Sql.EXECUTION_CANCELLED_ERR, "Query timeout", () -> sql.execute(null, statement).close());
        Statement quick = statement.toBuilder().query("SELECT 1").queryTimeout(1, TimeUnit.HOURS).build();
        try (ResultSet<SqlRow> result = sql.execute(null, quick)) {
            assertEquals(1, result.next().intValue(0));
        }
    }

    // Errors

    @Test
    void errors_have_their_codes() {
        table("ERR1", 1);
        sql.execute(null, "CREATE TABLE ERR2 (ID INT PRIMARY KEY, N VARCHAR(3) NOT NULL, T TINYINT)").close();
        int parse = ErrorGroups.Sql.STMT_PARSE_ERR;
        int validation = ErrorGroups.Sql.STMT_VALIDATION_ERR;
        int constraint = ErrorGroups.Sql.CONSTRAINT_VIOLATION_ERR;
        int runtime = ErrorGroups.Sql.RUNTIME_ERR;
        fails(parse, "Failed to parse query", () -> change(null, "SELEC 1"));
        fails(parse, "Failed to parse query", () -> change(null, ""));
        fails(validation, "NO_SUCH", () -> change(null, "SELECT * FROM NO_SUCH"));
        fails(validation, "NO_COLUMN", () -> change(null, "SELECT NO_COLUMN FROM ERR1"));
        fails(validation, "Table with name 'PUBLIC.ERR1' already exists.",
                () -> change(null, "CREATE TABLE ERR1 (ID INT PRIMARY KEY)"));
        fails(validation, "Unexpected number of query parameters", () -> change(null, "SELECT ?"));
        fails(validation, "Unexpected number of query parameters", () -> change(null, "SELECT ?", 1, 2));
        fails(validation, "Multiple statements are not allowed", () -> change(null, "SELECT 1; SELECT 2"));
        fails(validation, "Transaction control statement", () -> change(null, "COMMIT"));
        fails(validation, "Value too long", () -> change(null, "INSERT INTO ERR2 VALUES (1, 'long', 1)"));
        fails(constraint, "PK unique constraint is violated", () -> change(null, "INSERT INTO ERR1 VALUES (1, 'again')"));
        fails(constraint, "does not allow NULLs", () -> change(null, "INSERT INTO ERR2 (ID) VALUES (1)"));
        fails(runtime, "Division by zero", () -> change(null, "SELECT 1 / 0"));
        fails(runtime, "out of range", () -> change(null, "INSERT INTO ERR2 VALUES (1, 'a', 1000)"));
        assertEquals(List.of("0"), rows(null, "SELECT COUNT(*) FROM ERR2"));
    }

    @Test
    void an_error_reaches_the_future() {
        ExecutionException e = assertThrows(ExecutionException.class, () -> sql.executeAsync(null, "SELEC 1").get());
        assertEquals(ErrorGroups.Sql.STMT_PARSE_ERR, assertInstanceOf(SqlException.class, e.getCause()).code());
    }

    @Test
    void a_query_may_fail_on_a_later_page() throws Exception {
        Statement statement = sql.statementBuilder().query("SELECT 100 / (5000 - X) FROM TABLE(SYSTEM_RANGE(1, 6000))").pageSize(10).build();
        SqlException e = assertThrows(SqlException.class, () -> {
            try (ResultSet<SqlRow> result = sql.execute(null, statement)) {
                while (result.hasNext()) {
                    result.next();
                }
            }
        });
        assertEquals(ErrorGroups.Sql.RUNTIME_ERR, e.code());
    }

    // Schemas

    @Test
    void a_statement_has_a_default_schema() {
        sql.executeScript("CREATE SCHEMA SCH1; CREATE TABLE SCH1.HERE (ID INT PRIMARY KEY); INSERT INTO SCH1.HERE VALUES (5)");
        for (String schema : List.of("SCH1", "sch1")) {
            try (ResultSet<SqlRow> result = sql.execute(null, in(schema, "SELECT ID FROM HERE"))) {
                assertEquals(5, result.next().intValue(0));
            }
        }
        fails(ErrorGroups.Sql.STMT_VALIDATION_ERR, "HERE", () -> change(null, "SELECT ID FROM HERE"));
        fails(ErrorGroups.Sql.STMT_VALIDATION_ERR, "HERE", () -> sql.execute(null, in("NO_SUCH", "SELECT ID FROM HERE")).close());
        assertEquals(List.of("5"), rows(null, "SELECT ID FROM SCH1.HERE"));
    }

    private static Statement in(String schema, String text) {
        return sql.statementBuilder().query(text).defaultSchema(schema).build();
    }

    // What the tests share

    /** A new table {@code (ID, V)} with rows {@code (1, v1), ...}. */
    private static void table(String name, int rows) {
        sql.execute(null, "CREATE TABLE " + name + " (ID INT PRIMARY KEY, V VARCHAR)").close();
        if (rows > 0) {
            String text = "INSERT INTO " + name + " SELECT CAST(X AS INT), 'v' || CAST(X AS VARCHAR) FROM TABLE(SYSTEM_RANGE(1, " + rows + "))";
            assertEquals(rows, change(null, text));
        }
    }

    /** Runs a statement; how many rows it changed. */
    private static long change(Transaction tx, String text, Object... arguments) {
        try (ResultSet<SqlRow> result = sql.execute(tx, text, arguments)) {
            return result.affectedRows();
        }
    }

    /** The rows of a query, their values separated by blanks. */
    private static List<String> rows(Transaction tx, String text, Object... arguments) {
        List<String> rows = new ArrayList<>();
        try (ResultSet<SqlRow> result = sql.execute(tx, text, arguments)) {
            while (result.hasNext()) {
                SqlRow row = result.next();
                List<String> values = new ArrayList<>();
                for (int i = 0; i < row.columnCount(); i++) {
                    values.add(String.valueOf((Object) row.value(i)));
                }
                rows.add(String.join(" ", values));
            }
        }
        return rows;
    }

    private static List<Integer> numbers(int first, int last) {
        List<Integer> numbers = new ArrayList<>();
        for (int i = first; i <= last; i++) {
            numbers.add(i);
        }
        return numbers;
    }

    /** Name, type, precision, scale and nullability of each column; {@code -} is undefined. */
    private static List<String> described(ResultSet<SqlRow> result) {
        return result.metadata().columns().stream().map(c -> c.name() + " " + c.type() + " "
                + (c.precision() == ColumnMetadata.UNDEFINED_PRECISION ? "-" : c.precision()) + " "
                + (c.scale() == ColumnMetadata.UNDEFINED_SCALE ? "-" : c.scale()) + " " + c.nullable()).toList();
    }

    private static String origin(ColumnMetadata column) {
        ColumnMetadata.ColumnOrigin origin = column.origin();
        return origin.schemaName() + "." + origin.tableName() + "." + origin.columnName();
    }

    private static void fails(int code, String text, Runnable run) {
        SqlException e = assertThrows(SqlException.class, run::run);
        assertEquals(code, e.code(), e::toString);
        assertTrue(e.getMessage().contains(text), () -> "should say " + text + ": " + e);
    }

    private static void assumeCancellation() {
        assumeTrue(!CLIENT.startsWith("3.0."), "clients of 3.0 have the calls, but send nothing");
    }

    private static void cancelled(CompletableFuture<?> future) {
        ExecutionException e = assertThrows(ExecutionException.class, () -> future.get(60, TimeUnit.SECONDS));
        SqlException cause = assertInstanceOf(SqlException.class, e.getCause(), () -> Clients.texts(e));
        assertEquals(ErrorGroups.Sql.EXECUTION_CANCELLED_ERR, cause.code(), cause::toString);
    }
}
