package flint.scenario;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.apache.ignite.client.IgniteClient;
import org.apache.ignite.table.RecordView;
import org.apache.ignite.table.Tuple;
import org.apache.ignite.tx.Transaction;
import org.apache.ignite.tx.TransactionOptions;

/** Explicit transactions: their ends, their isolation, what conflicts and what waits. */
final class Transactions {
    private static final String COLUMNS = "ID INT PRIMARY KEY, V INT";

    private Transactions() {
    }

    static void register(Map<String, Scenario> all) {
        all.put("tx/commit-and-rollback", Transactions::ends);
        all.put("tx/finished", Transactions::finished);
        all.put("tx/every-operation", Transactions::everyOperation);
        all.put("tx/in-flight", Transactions::inFlight);
        all.put("tx/run-in-transaction", Transactions::runInTransaction);
        all.put("tx/read-only", Transactions::readOnly);
        all.put("tx/younger-dies", Transactions::youngerDies);
        all.put("tx/older-waits", Transactions::olderWaits);
        all.put("tx/shared-locks", Transactions::sharedLocks);
        all.put("tx/implicit-against-explicit", Transactions::implicit);
        all.put("tx/missing-keys-lock", Transactions::missingKeys);
        all.put("tx/timeout", Transactions::timeout);
        all.put("tx/failed-operation", Transactions::failedOperation);
        all.put("tx/two-clients", Transactions::twoClients);
        all.put("tx/lost-connection", Transactions::lostConnection);
        all.put("tx/schema-change", Transactions::schemaChange);
        all.put("tx/dropped-table", Transactions::droppedTable);
        all.put("tx/ddl-inside", Transactions::ddlInside);
    }

    private static Tuple row(int id, Integer v) {
        return Tuple.create().set("ID", id).set("V", v);
    }

    private static Tuple key(int id) {
        return Tuple.create().set("ID", id);
    }

    private static RecordView<Tuple> view(Script s, String table) {
        return s.table(table, COLUMNS).recordView();
    }

    private static Transaction begin(Script s) {
        return s.client().transactions().begin();
    }

    private static void ends(Script s) {
        RecordView<Tuple> v = view(s, "T1");
        Transaction a = begin(s);
        s.run("a: upsert", () -> v.upsert(a, row(1, 1)));
        s.step("a: get of its own write", () -> v.get(a, key(1)));
        s.step("a: insert, delete, get", () -> v.insert(a, row(2, 2)) + " " + v.delete(a, key(2)) + " " + v.get(a, key(2)));
        s.run("a: commit", a::commit);
        s.step("get", () -> v.get(null, key(1)));
        Transaction b = begin(s);
        s.run("b: upsert", () -> v.upsert(b, row(1, 10)));
        s.step("b: delete", () -> v.delete(b, key(1)));
        s.step("b: get", () -> v.get(b, key(1)));
        s.run("b: rollback", b::rollback);
        s.step("get", () -> v.get(null, key(1)));
        Transaction c = begin(s);
        s.run("unused: commit", c::commit);
        Transaction d = begin(s);
        s.run("unused: rollback", d::rollback);
        Transaction e = begin(s);
        s.step("only read: get", () -> v.get(e, key(1)));
        s.run("only read: commit", e::commit);
    }

    private static void finished(Script s) {
        RecordView<Tuple> v = view(s, "T2");
        Transaction a = begin(s);
        v.upsert(a, row(1, 1));
        s.run("commit", a::commit);
        s.run("upsert after commit", () -> v.upsert(a, row(1, 2)));
        s.step("get after commit", () -> v.get(a, key(1)));
        s.run("second commit", a::commit);
        s.run("rollback after commit", a::rollback);
        Transaction b = begin(s);
        v.upsert(b, row(1, 3));
        s.run("rollback", b::rollback);
        s.run("upsert after rollback", () -> v.upsert(b, row(1, 4)));
        s.run("second rollback", b::rollback);
        s.run("commit after rollback", b::commit);
        s.step("get", () -> v.get(null, key(1)));
        s.run("a transaction of another kind", () -> v.upsert(new Foreign(), row(1, 1)));
    }

    private static void everyOperation(Script s) {
        RecordView<Tuple> v = view(s, "T3");
        v.upsertAll(null, List.of(row(1, 1), row(2, 2), row(3, 3), row(4, 4), row(5, 5)));
        Transaction t = begin(s);
        s.step("get", () -> v.get(t, key(1)));
        s.step("contains", () -> v.contains(t, key(1)));
        s.step("insert existing", () -> v.insert(t, row(1, 9)));
        s.step("insert new", () -> v.insert(t, row(10, 10)));
        s.step("get-and-upsert", () -> v.getAndUpsert(t, row(1, 11)));
        s.step("get-and-replace", () -> v.getAndReplace(t, row(1, 12)));
        s.step("replace", () -> v.replace(t, row(2, 22)));
        s.step("replace-exact", () -> v.replace(t, row(2, 22), row(2, 23)));
        s.step("delete-exact", () -> v.deleteExact(t, row(2, 23)));
        s.step("get-and-delete", () -> v.getAndDelete(t, key(3)));
        s.run("upsert-all", () -> v.upsertAll(t, List.of(row(20, 20), row(21, 21), row(3, 33))));
        s.step("insert-all", () -> Text.sorted(v.insertAll(t, List.of(row(20, 0), row(22, 22), row(1, 0)))));
        s.step("get-all", () -> v.getAll(t, List.of(key(1), key(2), key(3), key(4), key(20), key(99))));
        s.step("contains-all", () -> v.containsAll(t, List.of(key(1), key(20))));
        s.step("delete-all", () -> Text.sorted(v.deleteAll(t, List.of(key(4), key(2), key(98)))));
        s.step("delete-all-exact", () -> Text.sorted(v.deleteAllExact(t, List.of(row(5, 5), row(20, 0)))));
        s.step("outside, read-only: get-all", () -> {
            Transaction r = s.client().transactions().begin(new TransactionOptions().readOnly(true));
            List<Tuple> all = v.getAll(r, List.of(key(1), key(2), key(3), key(4), key(5), key(10), key(20)));
            r.rollback();
            return all;
        });
        s.run("commit", t::commit);
        s.step("get-all", () -> v.getAll(null, List.of(key(1), key(2), key(3), key(4), key(5), key(10), key(20), key(21), key(22))));
    }

    private static void inFlight(Script s) {
        RecordView<Tuple> v = view(s, "T4");
        Transaction t = begin(s);
        s.step("32 upserts of one transaction in flight", () -> {
            List<CompletableFuture<?>> all = new ArrayList<>();
            for (int i = 0; i < 32; i++) {
                all.add(v.upsertAsync(t, row(i, i)));
            }
            return CompletableFuture.allOf(all.toArray(new CompletableFuture<?>[0]));
        });
        s.step("its 32 gets", () -> {
            List<CompletableFuture<Tuple>> all = new ArrayList<>();
            for (int i = 0; i < 32; i++) {
                all.add(v.getAsync(t, key(i)));
            }
            int right = 0;
            for (int i = 0; i < 32; i++) {
                right += row(i, i).equals(all.get(i).get()) ? 1 : 0;
            }
            return right;
        });
        s.run("commit", t::commit);
        s.step("rows", () -> v.getAll(null, List.of(key(0), key(31))));
    }

    private static void runInTransaction(Script s) {
        RecordView<Tuple> v = view(s, "T5");
        s.run("that ends well", () -> s.client().transactions().runInTransaction(t -> {
            v.upsert(t, row(1, 1));
        }));
        Consumer<Transaction> failing = t -> {
            v.upsert(t, row(1, 2));
            throw new IllegalStateException("on purpose");
        };
        s.run("that throws", () -> s.client().transactions().runInTransaction(failing));
        s.step("get", () -> v.get(null, key(1)));
        s.step("asynchronous", () -> s.client().transactions().runInTransactionAsync(
                t -> v.upsertAsync(t, row(2, 2)).thenCompose(done -> v.getAsync(t, key(2)))));
    }

    private static void readOnly(Script s) {
        RecordView<Tuple> v = view(s, "T6");
        v.upsertAll(null, List.of(row(1, 1), row(2, 2)));
        Transaction r = s.client().transactions().begin(new TransactionOptions().readOnly(true));
        s.step("is read-only", r::isReadOnly);
        s.step("get", () -> v.get(r, key(1)));
        v.upsert(null, row(1, 100));
        v.delete(null, key(2));
        v.upsert(null, row(3, 3));
        s.step("get-all of the moment it began", () -> v.getAll(r, List.of(key(1), key(2), key(3))));
        s.step("contains", () -> v.contains(r, key(2)));
        s.step("contains-all", () -> v.containsAll(r, List.of(key(1), key(3))));
        s.run("commit", r::commit);
        s.step("get outside", () -> v.getAll(null, List.of(key(1), key(2), key(3))));
        List<Map.Entry<String, Consumer<Transaction>>> writes = List.of(
                Map.entry("upsert", t -> v.upsert(t, row(1, 2))), Map.entry("insert", t -> v.insert(t, row(9, 2))),
                Map.entry("delete", t -> v.delete(t, key(1))), Map.entry("upsert-all", t -> v.upsertAll(t, List.of(row(1, 2)))),
                Map.entry("replace", t -> v.replace(t, row(1, 2))), Map.entry("get-and-delete", t -> v.getAndDelete(t, key(1))));
        for (Map.Entry<String, Consumer<Transaction>> write : writes) {
            Transaction t = s.client().transactions().begin(new TransactionOptions().readOnly(true));
            s.run(write.getKey(), () -> write.getValue().accept(t));
            s.step("get after it", () -> v.get(t, key(1)));
            s.run("commit after it", t::commit);
        }
        s.step("get outside", () -> v.get(null, key(1)));
    }

    private static void youngerDies(Script s) {
        RecordView<Tuple> v = view(s, "T7");
        Transaction older = begin(s);
        s.run("older: upsert 1", () -> v.upsert(older, row(1, 1)));
        Transaction younger = begin(s);
        s.run("younger: upsert 2", () -> v.upsert(younger, row(2, 2)));
        s.run("younger: upsert 1", () -> v.upsert(younger, row(1, 10)));
        s.run("younger: upsert 3 after the conflict", () -> v.upsert(younger, row(3, 3)));
        s.step("younger: get 2 after the conflict", () -> v.get(younger, key(2)));
        s.run("younger: commit after the conflict", younger::commit);
        s.run("younger: rollback after that", younger::rollback);
        s.run("older: upsert 2, which the younger held", () -> v.upsert(older, row(2, 20)));
        s.run("older: commit", older::commit);
        s.step("rows", () -> v.getAll(null, List.of(key(1), key(2), key(3))));
        Transaction c = begin(s);
        v.upsert(c, row(5, 5));
        Transaction d = begin(s);
        s.step("younger: get of a row written by an older one", () -> v.get(d, key(5)));
        s.run("younger: rollback after the conflict", d::rollback);
        c.rollback();
    }

    private static void olderWaits(Script s) {
        RecordView<Tuple> v = view(s, "T8");
        Transaction older = begin(s);
        s.run("older: upsert 1", () -> v.upsert(older, row(1, 1)));
        Transaction younger = begin(s);
        s.run("younger: upsert 2", () -> v.upsert(younger, row(2, 2)));
        CompletableFuture<Void> waiting = v.upsertAsync(older, row(2, 20));
        s.waits("older: upsert 2, which the younger holds", waiting);
        CompletableFuture<Tuple> behind = v.getAsync(older, key(1));
        s.step("older: another operation meanwhile", () -> behind);
        s.run("younger: commit", younger::commit);
        s.step("older: the write that waited", () -> waiting);
        s.run("older: commit", older::commit);
        s.step("rows", () -> v.getAll(null, List.of(key(1), key(2))));
        Transaction a = begin(s);
        v.get(a, key(7));
        Transaction b = begin(s);
        v.upsert(b, row(1, 5));
        CompletableFuture<Tuple> read = v.getAsync(a, key(1));
        s.waits("older: get of a row the younger wrote", read);
        s.run("younger: rollback", b::rollback);
        s.step("older: the get that waited", () -> read);
        a.rollback();
    }

    private static void sharedLocks(Script s) {
        RecordView<Tuple> v = view(s, "T9");
        v.upsertAll(null, List.of(row(1, 1), row(2, 2)));
        Transaction a = begin(s);
        Transaction b = begin(s);
        s.step("a: get", () -> v.get(a, key(1)));
        s.step("b: get of the same", () -> v.get(b, key(1)));
        s.run("b (younger): upsert of what a has read", () -> v.upsert(b, row(1, 20)));
        s.run("a: upsert of what it has read", () -> v.upsert(a, row(1, 10)));
        s.run("a: commit", a::commit);
        s.run("b: commit", b::commit);
        s.step("get", () -> v.get(null, key(1)));
        Transaction c = begin(s);
        v.get(c, key(2));
        Transaction d = begin(s);
        v.get(d, key(2));
        CompletableFuture<Void> waiting = v.upsertAsync(c, row(2, 30));
        s.waits("c (older): upsert of what d has read too", waiting);
        s.run("d: commit", d::commit);
        s.step("c: the write that waited", () -> waiting);
        s.run("c: commit", c::commit);
    }

    private static void implicit(Script s) {
        RecordView<Tuple> v = view(s, "T10");
        v.upsert(null, row(1, 1));
        Transaction a = begin(s);
        v.upsert(a, row(1, 10));
        CompletableFuture<Void> write = v.upsertAsync(null, row(1, 20));
        s.waits("an implicit upsert of a row that is locked", write);
        CompletableFuture<Tuple> read = v.getAsync(null, key(1));
        s.waits("an implicit get of it", read);
        CompletableFuture<List<Tuple>> many = v.getAllAsync(null, List.of(key(1), key(2)));
        s.waits("an implicit get-all with it", many);
        s.step("an implicit get of another row", () -> v.getAsync(null, key(2)));
        s.run("commit", a::commit);
        s.step("the upsert", () -> write);
        s.step("the get did end", () -> read.get() != null);
        s.step("the get-all did end", () -> many.get().size());
        s.step("get", () -> v.get(null, key(1)));
        Transaction b = begin(s);
        v.get(b, key(1));
        CompletableFuture<Boolean> delete = v.deleteAsync(null, key(1));
        s.waits("an implicit delete of a row that was read", delete);
        s.step("an implicit get of a row that was read", () -> v.getAsync(null, key(1)).get() != null);
        s.run("rollback", b::rollback);
        s.step("the delete", () -> delete);
    }

    private static void missingKeys(Script s) {
        RecordView<Tuple> v = view(s, "T11");
        Transaction a = begin(s);
        s.step("older: get of a missing row", () -> v.get(a, key(1)));
        Transaction b = begin(s);
        s.step("younger: insert of that row", () -> v.insert(b, row(1, 1)));
        b.rollback();
        s.step("older: delete of a missing row", () -> v.delete(a, key(2)));
        Transaction c = begin(s);
        s.step("younger: get of that row", () -> v.get(c, key(2)));
        c.rollback();
        s.run("older: rollback", a::rollback);
    }

    private static void timeout(Script s) {
        RecordView<Tuple> v = view(s, "T12");
        Transaction a = s.client().transactions().begin(new TransactionOptions().timeoutMillis(1000));
        s.run("upsert in time", () -> v.upsert(a, row(1, 1)));
        s.run("wait", () -> Thread.sleep(2500));
        s.step("outside, the row is free again", () -> v.getAsync(null, key(1)));
        s.run("upsert too late", () -> v.upsert(a, row(1, 2)));
        s.step("get too late", () -> v.get(a, key(1)));
        s.run("commit too late", a::commit);
        Transaction b = s.client().transactions().begin(new TransactionOptions().timeoutMillis(1000));
        v.upsert(b, row(2, 2));
        s.run("wait", () -> Thread.sleep(2500));
        s.run("commit too late, nothing before it", b::commit);
        Transaction c = s.client().transactions().begin(new TransactionOptions().timeoutMillis(1000));
        v.upsert(c, row(3, 3));
        s.run("wait", () -> Thread.sleep(2500));
        s.run("rollback too late", c::rollback);
        Transaction d = s.client().transactions().begin(new TransactionOptions().readOnly(true).timeoutMillis(1000));
        v.get(d, key(1));
        s.run("wait", () -> Thread.sleep(2500));
        s.step("read-only: get too late", () -> v.get(d, key(1)));
        s.run("read-only: commit too late", d::commit);
        Transaction e = s.client().transactions().begin();
        v.get(e, key(9));
        Transaction f = s.client().transactions().begin(new TransactionOptions().timeoutMillis(1500));
        v.upsert(f, row(4, 4));
        CompletableFuture<Void> waiting = v.upsertAsync(e, row(4, 5));
        s.waits("older: waits for a row of one that will time out", waiting);
        s.step("older: gets it", () -> waiting);
        s.run("older: commit", e::commit);
        s.step("rows", () -> v.getAll(null, List.of(key(1), key(2), key(3), key(4))));
    }

    private static void failedOperation(Script s) {
        RecordView<Tuple> v = s.table("T13", "ID INT PRIMARY KEY, V INT NOT NULL, W VARCHAR(3)").recordView();
        Transaction a = begin(s);
        s.run("upsert", () -> v.upsert(a, row(1, 1)));
        s.run("upsert without a NOT NULL column", () -> v.upsert(a, key(2)));
        s.run("upsert after it", () -> v.upsert(a, row(3, 3)));
        s.run("commit", a::commit);
        s.step("rows", () -> v.getAll(null, List.of(key(1), key(2), key(3))));
        Transaction b = begin(s);
        s.run("upsert", () -> v.upsert(b, row(4, 4)));
        s.run("upsert of too long a string", () -> v.upsert(b, row(5, 5).set("W", "long")));
        s.run("upsert after it", () -> v.upsert(b, row(6, 6)));
        s.run("commit", b::commit);
        s.step("rows", () -> v.getAll(null, List.of(key(4), key(5), key(6))));
    }

    private static void twoClients(Script s) {
        RecordView<Tuple> v = view(s, "T14");
        try (IgniteClient other = s.connect()) {
            RecordView<Tuple> w = other.tables().table("T14").recordView();
            Transaction a = begin(s);
            v.upsert(a, row(1, 1));
            s.run("a transaction of another client", () -> w.upsert(a, row(2, 2)));
            CompletableFuture<Tuple> read = w.getAsync(null, key(1));
            s.waits("the other client's get of a row that is locked", read);
            s.run("commit", a::commit);
            s.step("the other client's get has ended", () -> read.isDone() || read.get() != null || true);
            s.step("the other client's next get", () -> w.get(null, key(1)));
        }
    }

    private static void lostConnection(Script s) throws Exception {
        RecordView<Tuple> v = view(s, "T15");
        IgniteClient other = s.connect();
        RecordView<Tuple> w = other.tables().table("T15").recordView();
        Transaction a = other.transactions().begin();
        s.run("another client: upsert in a transaction", () -> w.upsert(a, row(1, 1)));
        s.run("it closes", other::close);
        s.run("its transaction: commit", a::commit);
        s.step("its row is free", () -> v.getAsync(null, key(1)));
        s.step("and can be written", () -> v.upsertAsync(null, row(1, 2)));
        s.run("an operation of the closed client", () -> w.upsert(null, row(1, 1)));
    }

    private static void schemaChange(Script s) {
        RecordView<Tuple> v = view(s, "T16");
        Transaction a = begin(s);
        s.run("upsert", () -> v.upsert(a, row(1, 1)));
        s.sql("ALTER TABLE T16 ADD COLUMN W INT");
        s.run("upsert after ADD COLUMN", () -> v.upsert(a, row(2, 2)));
        s.step("get after ADD COLUMN", () -> v.get(a, key(1)));
        s.run("commit", a::commit);
        s.step("rows", () -> v.getAll(null, List.of(key(1), key(2))));
        Transaction b = begin(s);
        s.run("upsert", () -> v.upsert(b, row(3, 3)));
        s.sql("ALTER TABLE T16 ADD COLUMN X INT");
        s.run("commit after ADD COLUMN", b::commit);
        Transaction c = begin(s);
        s.run("upsert", () -> v.upsert(c, row(4, 4)));
        s.sql("ALTER TABLE T16 DROP COLUMN W");
        s.run("commit after DROP COLUMN", c::commit);
        Transaction d = begin(s);
        s.step("get", () -> v.get(d, key(4)));
        s.sql("ALTER TABLE T16 DROP COLUMN X");
        s.step("get after DROP COLUMN", () -> v.get(d, key(4)));
        s.run("commit", d::commit);
        s.step("rows", () -> v.getAll(null, List.of(key(1), key(2), key(3), key(4))));
    }

    private static void droppedTable(Script s) {
        RecordView<Tuple> v = view(s, "T17");
        Transaction a = begin(s);
        s.run("upsert", () -> v.upsert(a, row(1, 1)));
        s.sql("DROP TABLE T17");
        s.run("upsert after DROP TABLE", () -> v.upsert(a, row(2, 2)));
        s.run("commit", a::commit);
        RecordView<Tuple> w = view(s, "T18");
        Transaction b = begin(s);
        s.run("upsert", () -> w.upsert(b, row(1, 1)));
        s.sql("DROP TABLE T18");
        s.run("commit after DROP TABLE", b::commit);
    }

    private static void ddlInside(Script s) {
        RecordView<Tuple> v = view(s, "T19");
        s.setUp("DROP TABLE IF EXISTS T20");
        Transaction a = begin(s);
        v.upsert(a, row(1, 1));
        s.step("DDL inside a transaction", () -> {
            try (var result = s.client().sql().execute(a, "CREATE TABLE T20 (ID INT PRIMARY KEY)")) {
                return result.wasApplied();
            }
        });
        s.run("commit", a::commit);
        s.step("row", () -> v.get(null, key(1)));
        s.step("table(T20)", () -> s.client().tables().table("T20"));
    }

    /** A transaction that no client has begun. */
    private static final class Foreign implements Transaction {
        @Override
        public void commit() {
        }

        @Override
        public CompletableFuture<Void> commitAsync() {
            return CompletableFuture.completedFuture(null);
        }

        @Override
        public void rollback() {
        }

        @Override
        public CompletableFuture<Void> rollbackAsync() {
            return CompletableFuture.completedFuture(null);
        }

        @Override
        public boolean isReadOnly() {
            return false;
        }

        @Override
        public String toString() {
            return "foreign " + new UUID(0, 0);
        }
    }
}
