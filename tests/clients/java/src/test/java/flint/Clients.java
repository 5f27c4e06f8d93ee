package flint;

import java.util.concurrent.Callable;
import org.apache.ignite.client.IgniteClient;
import org.apache.ignite.table.RecordView;
import org.apache.ignite.table.Tuple;

/** What several tests do with a client. */
final class Clients {
    private Clients() {
    }

    /** Connects without anything special. */
    static IgniteClient connect(String address) {
        return IgniteClient.builder().addresses(address).build();
    }

    /** The view of a new table {@code T (ID, V)}. */
    static RecordView<Tuple> table(IgniteClient client) {
        client.sql().execute(null, "CREATE TABLE T (ID INT PRIMARY KEY, V VARCHAR)").close();
        return client.tables().table("T").recordView();
    }

    static Tuple row(int id, String v) {
        return key(id).set("V", v);
    }

    static Tuple key(int id) {
        return Tuple.create().set("ID", id);
    }

    /** Calls again while it throws, for as long as a client may need to notice that its server is back. */
    static <T> T retry(Callable<T> call) throws Exception {
        long end = System.nanoTime() + 20_000_000_000L;
        while (true) {
            try {
                return call.call();
            } catch (Exception e) {
                if (System.nanoTime() > end) {
                    throw e;
                }
                Thread.sleep(100);
            }
        }
    }

    /** The texts of an exception and its causes. */
    static String texts(Throwable thrown) {
        StringBuilder text = new StringBuilder();
        for (Throwable t = thrown; t != null; t = t.getCause()) {
            text.append(t).append('\n');
        }
        return text.toString();
    }
}
