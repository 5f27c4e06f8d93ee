package flint.scenario;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.ignite.client.IgniteClient;
import org.apache.ignite.lang.IgniteException;
import org.apache.ignite.table.Table;

/**
 * The record of one scenario: each step adds one line, the operation and what the server answered.
 *
 * <p>What differs from run to run (ids, trace ids, times, addresses, table ids) is replaced by its kind, so that lines of two servers compare
 * as text.
 */
public final class Script {
    /** How long a step may take before its line says that it did not end. */
    private static final long STEP_SECONDS_MAX = 60;

    private final IgniteClient client;
    private final String address;
    private final List<String> lines = new ArrayList<>();

    /** A script that runs against the server at {@code address}, mostly through {@code client}. */
    public Script(IgniteClient client, String address) {
        this.client = client;
        this.address = address;
    }

    /** The client shared by all scenarios. */
    public IgniteClient client() {
        return client;
    }

    /** A further client of the same server; the scenario closes it. */
    public IgniteClient connect() {
        return IgniteClient.builder().addresses(address).build();
    }

    /** The lines so far. */
    public List<String> lines() {
        return lines;
    }

    /** Runs a statement before the steps that need it; its failure ends the scenario. */
    public void setUp(String sql) {
        client.sql().execute(null, sql).close();
    }

    /** (Re)creates a table, {@code columns} being what stands between the parentheses, and looks it up. */
    public Table table(String name, String columns) {
        setUp("DROP TABLE IF EXISTS " + name);
        setUp("CREATE TABLE " + name + " (" + columns + ")");
        return client.tables().table(name);
    }

    /** One statement as a step. */
    public void sql(String sql) {
        step(sql, () -> {
            try (var result = client.sql().execute(null, sql)) {
                return "applied=" + result.wasApplied() + " rows=" + result.affectedRows();
            }
        });
    }

    /** One operation without an answer of its own. */
    public void run(String operation, Action action) {
        step(operation, () -> {
            action.run();
            return "done";
        });
    }

    /** One operation with its answer; a future is waited for. */
    public void step(String operation, Callable<?> call) {
        String answer;
        try {
            Object value = call.call();
            if (value instanceof CompletableFuture<?> future) {
                value = future.get(STEP_SECONDS_MAX, TimeUnit.SECONDS);
            }
            answer = value instanceof String text ? text : Text.of(value);
        } catch (Exception e) {
            answer = error(e);
        }
        lines.add(operation + " -> " + Text.normalise(answer));
    }

    /** Whether the future has no answer yet after a while that is long for a local server. */
    public void waits(String operation, CompletableFuture<?> future) {
        step(operation, () -> {
            try {
                future.get(500, TimeUnit.MILLISECONDS);
                return "answered";
            } catch (TimeoutException e) {
                return "waits";
            } catch (ExecutionException e) {
                return "failed";
            }
        });
    }

    /** Notes that the scenario could not go on. */
    void stopped(Exception e) {
        lines.add("stopped -> " + Text.normalise(error(e)));
    }

    private static String error(Throwable thrown) {
        Throwable e = thrown;
        while ((e instanceof ExecutionException || e instanceof CompletionException) && e.getCause() != null) {
            e = e.getCause();
        }
        // Client 3.0.0 prints the number of an internal error, 65535, as a signed one.
        String code = e instanceof IgniteException ignite ? ignite.codeAsString().replace("--1", "-65535") + " " : "";
        return "error " + code + e.getClass().getSimpleName() + ": " + e.getMessage();
    }

    /** Code that may fail. */
    @FunctionalInterface
    public interface Action {
        /** Runs it. */
        void run() throws Exception;
    }
}
