package flint;

import static flint.Clients.connect;
import static flint.Clients.key;
import static flint.Clients.retry;
import static flint.Clients.row;
import static flint.Clients.table;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.ignite.client.IgniteClient;
import org.apache.ignite.lang.IgniteException;
import org.apache.ignite.table.RecordView;
import org.apache.ignite.table.Tuple;
import org.apache.ignite.tx.Transaction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Connections that idle, break, come back, and servers that restart. */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class ConnectionTest {
    @Test
    void stays_connected_while_idle_by_heartbeats() throws Exception {
        long seconds = Long.getLong("flint.idle.seconds", 4);
        try (FlintServer server = FlintServer.inMemory();
                IgniteClient client = IgniteClient.builder().addresses(server.address())
                        .heartbeatInterval(seconds >= 60 ? 10_000 : 500).heartbeatTimeout(2_000).build()) {
            RecordView<Tuple> view = table(client);
            Transaction open = client.transactions().begin();
            view.upsert(open, row(1, "a"));
            Thread.sleep(seconds * 1000);
            assertEquals(1, client.connections().size());
            if (seconds < 30) {
                open.commit();
                assertEquals(row(1, "a"), view.get(null, key(1)));
            } else {
                assertNull(view.get(null, key(1)), "a transaction past its time is gone, its connection is not");
            }
        }
    }

    @Test
    void keeps_data_over_a_clean_stop_and_the_client_reconnects(@TempDir Path dir) throws Exception {
        FlintServer first = FlintServer.durable(dir, "127.0.0.1:0");
        try (IgniteClient client = connect(first.address())) {
            RecordView<Tuple> view = table(client);
            view.upsertAll(null, List.of(row(1, "a"), row(2, "b")));
            client.sql().execute(null, "ALTER TABLE T ADD COLUMN W INT DEFAULT 7").close();
            assertEquals(0, first.stop());
            assertThrows(IgniteException.class, () -> view.get(null, key(1)));
            try (FlintServer second = FlintServer.durable(dir, first.address())) {
                assertEquals(row(1, "a").set("W", 7), retry(() -> view.get(null, key(1))));
                assertTrue(view.insert(null, row(3, "c")));
                assertEquals(List.of(1, 2, 3), ids(view));
            }
        }
    }

    @Test
    void keeps_what_was_acknowledged_over_a_kill(@TempDir Path dir) throws Exception {
        FlintServer first = FlintServer.durable(dir, "127.0.0.1:0");
        try (IgniteClient client = connect(first.address())) {
            RecordView<Tuple> view = table(client);
            view.upsert(null, row(1, "a"));
            Transaction committed = client.transactions().begin();
            view.upsertAll(committed, List.of(row(2, "b"), row(3, "c")));
            committed.commit();
            Transaction open = client.transactions().begin();
            view.upsert(open, row(4, "lost"));
            first.kill();
            assertThrows(IgniteException.class, open::commit);
            try (FlintServer second = FlintServer.durable(dir, first.address())) {
                assertNull(retry(() -> view.get(null, key(4))));
                assertEquals(List.of(1, 2, 3), ids(view));
            }
        }
    }

    @Test
    void operations_in_flight_end_when_the_server_dies() throws Exception {
        FlintServer server = FlintServer.inMemory();
        try (IgniteClient client = connect(server.address())) {
            RecordView<Tuple> view = table(client);
            Transaction holder = client.transactions().begin();
            view.upsert(holder, row(1, "a"));
            List<CompletableFuture<Void>> waiting = new ArrayList<>();
            for (int i = 0; i < 16; i++) {
                waiting.add(view.upsertAsync(null, row(1, "b" + i)));
            }
            Thread.sleep(200);
            server.kill();
            for (CompletableFuture<Void> future : waiting) {
                assertThrows(Exception.class, () -> future.get(20, TimeUnit.SECONDS));
            }
        }
    }

    @Test
    void a_lost_connection_rolls_its_transactions_back() throws Exception {
        try (FlintServer server = FlintServer.inMemory(); IgniteClient client = connect(server.address())) {
            RecordView<Tuple> view = table(client);
            IgniteClient other = connect(server.address());
            RecordView<Tuple> otherView = other.tables().table("T").recordView();
            Transaction a = other.transactions().begin();
            otherView.upsert(a, row(1, "a"));
            Transaction b = other.transactions().begin();
            otherView.upsert(b, row(2, "b"));
            CompletableFuture<Void> waiting = view.upsertAsync(null, row(1, "after"));
            Thread.sleep(200);
            assertTrue(!waiting.isDone());
            other.close();
            waiting.get(10, TimeUnit.SECONDS);
            assertEquals(row(1, "after"), view.get(null, key(1)));
            assertNull(view.get(null, key(2)));
        }
    }

    @Test
    void many_clients_at_once() throws Exception {
        try (FlintServer server = FlintServer.inMemory(); IgniteClient first = connect(server.address())) {
            table(first);
            List<IgniteClient> clients = new ArrayList<>();
            for (int i = 0; i < 16; i++) {
                clients.add(connect(server.address()));
            }
            for (int i = 0; i < clients.size(); i++) {
                clients.get(i).tables().table("T").recordView().upsert(null, row(i, "c"));
            }
            for (IgniteClient client : clients) {
                client.close();
            }
            assertEquals(16, first.tables().table("T").recordView()
                    .getAll(null, java.util.stream.IntStream.range(0, 16).mapToObj(Clients::key).toList()).stream()
                    .filter(t -> t != null).count());
        }
    }

    private static List<Integer> ids(RecordView<Tuple> view) {
        List<Integer> ids = new ArrayList<>();
        for (Tuple row : view.getAll(null, List.of(key(1), key(2), key(3), key(4)))) {
            if (row != null) {
                ids.add(row.intValue("ID"));
            }
        }
        return ids;
    }
}
