package flint.scenario;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.ignite.table.RecordView;
import org.apache.ignite.table.Tuple;

/** The record view over tuples: single, batch and conditional operations, keys in any position. */
final class Records {
    private static final String COLUMNS = "ID INT PRIMARY KEY, NAME VARCHAR, AGE INT";

    private Records() {
    }

    static void register(Map<String, Scenario> all) {
        all.put("record/single", Records::single);
        all.put("record/conditional", Records::conditional);
        all.put("record/batch", Records::batch);
        all.put("record/batch-edges", Records::batchEdges);
        all.put("record/key-positions", Records::keyPositions);
        all.put("record/only-keys", Records::onlyKeys);
        all.put("record/wide", Records::wide);
        all.put("record/large-values", Records::largeValues);
        all.put("record/64-in-flight", Records::inFlight);
    }

    static Tuple row(int id, String name, Integer age) {
        return Tuple.create().set("ID", id).set("NAME", name).set("AGE", age);
    }

    static Tuple key(int id) {
        return Tuple.create().set("ID", id);
    }

    private static void single(Script s) {
        RecordView<Tuple> v = s.table("R1", COLUMNS).recordView();
        s.step("get missing", () -> v.get(null, key(1)));
        s.step("contains missing", () -> v.contains(null, key(1)));
        s.run("upsert new", () -> v.upsert(null, row(1, "a", 10)));
        s.step("get", () -> v.get(null, key(1)));
        s.step("contains", () -> v.contains(null, key(1)));
        s.run("upsert over", () -> v.upsert(null, row(1, "b", null)));
        s.step("get", () -> v.get(null, key(1)));
        s.run("upsert without a column", () -> v.upsert(null, key(1).set("NAME", "c")));
        s.step("get", () -> v.get(null, key(1)));
        s.step("get-and-upsert over", () -> v.getAndUpsert(null, row(1, "d", 11)));
        s.step("get-and-upsert new", () -> v.getAndUpsert(null, row(2, "e", 12)));
        s.step("get with value columns in the key", () -> v.get(null, row(1, "ignored", 0)));
        s.step("get-and-delete", () -> v.getAndDelete(null, key(2)));
        s.step("get-and-delete missing", () -> v.getAndDelete(null, key(2)));
        s.step("delete", () -> v.delete(null, key(1)));
        s.step("delete missing", () -> v.delete(null, key(1)));
        s.step("lower-case column names", () -> {
            v.upsert(null, Tuple.create().set("id", 5).set("name", "f").set("\"AGE\"", 1));
            return v.get(null, Tuple.create().set("id", 5));
        });
        s.run("unknown column", () -> v.upsert(null, row(1, "a", 1).set("NO_SUCH", 1)));
        s.run("no key", () -> v.upsert(null, Tuple.create().set("NAME", "a")));
        s.step("get with no key", () -> v.get(null, Tuple.create().set("NAME", "a")));
        s.step("get with an empty tuple", () -> v.get(null, Tuple.create()));
        s.run("null key", () -> v.upsert(null, Tuple.create().set("ID", null)));
    }

    private static void conditional(Script s) {
        RecordView<Tuple> v = s.table("R2", COLUMNS).recordView();
        s.step("insert new", () -> v.insert(null, row(1, "a", 10)));
        s.step("insert existing", () -> v.insert(null, row(1, "b", 11)));
        s.step("get", () -> v.get(null, key(1)));
        s.step("replace existing", () -> v.replace(null, row(1, "c", 12)));
        s.step("replace missing", () -> v.replace(null, row(2, "c", 12)));
        s.step("get replaced", () -> v.get(null, key(1)));
        s.step("get missing", () -> v.get(null, key(2)));
        s.step("replace-exact other value", () -> v.replace(null, row(1, "c", 13), row(1, "d", 14)));
        s.step("replace-exact same value", () -> v.replace(null, row(1, "c", 12), row(1, "d", 14)));
        s.step("replace-exact missing", () -> v.replace(null, row(2, "c", 12), row(2, "d", 14)));
        s.step("replace-exact with two keys", () -> v.replace(null, row(1, "d", 14), row(2, "d", 14)));
        s.step("get 1", () -> v.get(null, key(1)));
        s.step("get 2", () -> v.get(null, key(2)));
        s.step("get-and-replace existing", () -> v.getAndReplace(null, row(1, "e", null)));
        s.step("get-and-replace missing", () -> v.getAndReplace(null, row(3, "e", 15)));
        s.step("replace-exact null for unset", () -> v.replace(null, key(1).set("NAME", "e"), row(1, "f", 16)));
        s.step("delete-exact other value", () -> v.deleteExact(null, row(1, "f", 17)));
        s.step("delete-exact null for value", () -> v.deleteExact(null, row(1, "f", null)));
        s.step("delete-exact missing", () -> v.deleteExact(null, row(4, "f", 16)));
        s.step("delete-exact same value", () -> v.deleteExact(null, row(1, "f", 16)));
        s.step("get deleted", () -> v.get(null, key(1)));
    }

    private static void batch(Script s) {
        RecordView<Tuple> v = s.table("R3", COLUMNS).recordView();
        List<Tuple> rows = List.of(row(3, "c", 30), row(1, "a", 10), row(2, "b", null));
        s.run("upsert-all", () -> v.upsertAll(null, rows));
        s.step("get-all in request order with a missing one",
                () -> v.getAll(null, List.of(key(2), key(9), key(3), key(1))));
        s.step("contains-all", () -> v.containsAll(null, List.of(key(1), key(2), key(3))));
        s.step("contains-all with a missing one", () -> v.containsAll(null, List.of(key(1), key(9))));
        s.step("insert-all skipped", () -> Text.sorted(v.insertAll(null, List.of(row(1, "x", 1), row(4, "d", 40), row(2, "y", 2)))));
        s.step("get-all", () -> v.getAll(null, List.of(key(1), key(2), key(4))));
        s.step("insert-all none skipped", () -> v.insertAll(null, List.of(row(5, "e", 50), row(6, "f", 60))));
        s.step("delete-all missing", () -> Text.sorted(v.deleteAll(null, List.of(key(1), key(8), key(7)))));
        s.step("delete-all none missing", () -> v.deleteAll(null, List.of(key(2), key(3))));
        s.step("delete-all-exact not deleted",
                () -> Text.sorted(v.deleteAllExact(null, List.of(row(4, "d", 41), row(5, "e", 50), row(9, "z", 0)))));
        s.step("get-all", () -> v.getAll(null, List.of(key(1), key(2), key(3), key(4), key(5), key(6))));
        s.step("upsert-all, get-all of 1000", () -> {
            List<Tuple> many = new ArrayList<>();
            List<Tuple> keys = new ArrayList<>();
            for (int i = 1000; i < 2000; i++) {
                many.add(row(i, "n" + i, i));
                keys.add(key(i));
            }
            v.upsertAll(null, many);
            return v.getAll(null, keys).equals(many);
        });
    }

    private static void batchEdges(Script s) {
        RecordView<Tuple> v = s.table("R4", COLUMNS).recordView();
        s.run("upsert-all empty", () -> v.upsertAll(null, List.of()));
        s.step("get-all empty", () -> v.getAll(null, List.of()));
        s.step("insert-all empty", () -> v.insertAll(null, List.of()));
        s.step("delete-all empty", () -> v.deleteAll(null, List.of()));
        s.step("delete-all-exact empty", () -> v.deleteAllExact(null, List.of()));
        s.step("contains-all empty", () -> v.containsAll(null, List.of()));
        s.run("upsert-all with one key twice", () -> v.upsertAll(null, List.of(row(1, "a", 1), row(1, "b", 2))));
        s.step("get", () -> v.get(null, key(1)));
        s.step("insert-all with one new key twice", () -> v.insertAll(null, List.of(row(2, "a", 1), row(2, "b", 2))));
        s.step("get", () -> v.get(null, key(2)));
        s.step("insert-all with one known key twice", () -> v.insertAll(null, List.of(row(2, "c", 1), row(2, "d", 2))));
        s.step("get-all with one key twice", () -> v.getAll(null, List.of(key(1), key(1))));
        s.step("delete-all with one key twice", () -> v.deleteAll(null, List.of(key(1), key(1))));
        s.step("delete-all with one missing key twice", () -> v.deleteAll(null, List.of(key(1), key(1))));
        s.step("delete-all-exact with one row twice", () -> v.deleteAllExact(null, List.of(row(2, "a", 1), row(2, "a", 1))));
        s.run("upsert-all with a null row", () -> v.upsertAll(null, Arrays.asList(row(1, "a", 1), null)));
        s.run("upsert-all with a bad row", () -> v.upsertAll(null, List.of(row(7, "a", 1), Tuple.create().set("ID", "8"))));
        s.step("get of the good one", () -> v.get(null, key(7)));
        s.run("upsert-all null", () -> v.upsertAll(null, null));
        s.run("upsert null", () -> v.upsert(null, null));
    }

    private static void keyPositions(Script s) {
        RecordView<Tuple> middle = s.table("P1", "A VARCHAR, ID INT PRIMARY KEY, B VARCHAR").recordView();
        s.run("key in the middle: upsert", () -> middle.upsert(null, Tuple.create().set("B", "b").set("ID", 1).set("A", "a")));
        s.step("get", () -> middle.get(null, key(1)));
        s.step("delete-all", () -> middle.deleteAll(null, List.of(key(1), key(2))));

        RecordView<Tuple> last = s.table("P2", "A VARCHAR, B INT, ID INT, PRIMARY KEY (ID)").recordView();
        s.run("key at the end: upsert", () -> last.upsert(null, Tuple.create().set("ID", 1).set("A", "a")));
        s.step("get", () -> last.get(null, key(1)));
        s.step("insert-all", () -> last.insertAll(null, List.of(Tuple.create().set("ID", 1), Tuple.create().set("ID", 2))));

        RecordView<Tuple> two = s.table("P3", "A INT, V VARCHAR, B VARCHAR, PRIMARY KEY (B, A)").recordView();
        Tuple row = Tuple.create().set("A", 1).set("B", "x").set("V", "v");
        Tuple twoKey = Tuple.create().set("A", 1).set("B", "x");
        s.run("two keys in another order: upsert", () -> two.upsert(null, row));
        s.step("get", () -> two.get(null, twoKey));
        s.step("get, keys the other way round", () -> two.get(null, Tuple.create().set("B", "x").set("A", 1)));
        s.step("get with one key", () -> two.get(null, Tuple.create().set("A", 1)));
        s.step("delete-all", () -> two.deleteAll(null, List.of(twoKey, Tuple.create().set("A", 2).set("B", "y"))));

        RecordView<Tuple> colocated = s.table("P4", "A INT, B INT, V VARCHAR, PRIMARY KEY (A, B)) COLOCATE BY (B")
                .recordView();
        s.run("colocated by the second key: upsert",
                () -> colocated.upsert(null, Tuple.create().set("A", 1).set("B", 2).set("V", "v")));
        s.step("get", () -> colocated.get(null, Tuple.create().set("A", 1).set("B", 2)));
        s.step("delete", () -> colocated.delete(null, Tuple.create().set("A", 1).set("B", 2)));
    }

    private static void onlyKeys(Script s) {
        RecordView<Tuple> v = s.table("KEYS_ONLY", "A INT, B INT, PRIMARY KEY (A, B)").recordView();
        Tuple row = Tuple.create().set("A", 1).set("B", 2);
        s.run("upsert", () -> v.upsert(null, row));
        s.step("get", () -> v.get(null, row));
        s.step("insert", () -> v.insert(null, row));
        s.step("replace", () -> v.replace(null, row));
        s.step("replace-exact", () -> v.replace(null, row, row));
        s.step("delete-exact", () -> v.deleteExact(null, row));
        s.step("get", () -> v.get(null, row));
    }

    private static void wide(Script s) {
        StringBuilder columns = new StringBuilder("ID INT PRIMARY KEY");
        Tuple row = key(1);
        for (int i = 0; i < 300; i++) {
            columns.append(", C").append(i).append(" INT");
            row.set("C" + i, i % 7 == 0 ? null : i);
        }
        RecordView<Tuple> v = s.table("WIDE", columns.toString()).recordView();
        s.run("upsert of 301 columns", () -> v.upsert(null, row));
        s.step("same row back", () -> v.get(null, key(1)).equals(row));
        s.step("replace-exact", () -> v.replace(null, row, Tuple.copy(row).set("C0", 5)));
    }

    private static void largeValues(Script s) {
        RecordView<Tuple> v = s.table("LARGE", "ID INT PRIMARY KEY, S VARCHAR(10000000), B VARBINARY(10000000)").recordView();
        for (int size : new int[] {255, 256, 65535, 65536, 200_000, 1 << 20}) {
            byte[] bytes = new byte[size];
            Arrays.fill(bytes, (byte) size);
            Tuple row = key(size).set("S", "s".repeat(size)).set("B", bytes);
            s.step("upsert, get of " + size + " characters and bytes", () -> {
                v.upsert(null, row);
                Tuple got = v.get(null, key(size));
                return got.stringValue("S").length() + " " + Arrays.equals(got.value("B"), bytes);
            });
        }
    }

    private static void inFlight(Script s) {
        RecordView<Tuple> v = s.table("FLIGHT", COLUMNS).recordView();
        s.step("64 upserts in flight", () -> {
            List<CompletableFuture<?>> all = new ArrayList<>();
            for (int i = 0; i < 64; i++) {
                all.add(v.upsertAsync(null, row(i, "n" + i, i)));
            }
            return CompletableFuture.allOf(all.toArray(new CompletableFuture<?>[0]));
        });
        s.step("64 gets in flight, each with its own answer", () -> {
            List<CompletableFuture<Tuple>> all = new ArrayList<>();
            for (int i = 0; i < 64; i++) {
                all.add(v.getAsync(null, key(i)));
            }
            int right = 0;
            for (int i = 0; i < 64; i++) {
                right += row(i, "n" + i, i).equals(all.get(i).get()) ? 1 : 0;
            }
            return right;
        });
        s.step("64 mixed operations on 4 keys in flight, then the keys", () -> {
            List<CompletableFuture<?>> all = new ArrayList<>();
            for (int i = 0; i < 64; i++) {
                int id = 100 + i % 4;
                all.add(switch (i % 3) {
                    case 0 -> v.upsertAsync(null, row(id, "x", 1));
                    case 1 -> v.getAndUpsertAsync(null, row(id, "x", 1));
                    default -> v.getAllAsync(null, Collections.singleton(key(id)));
                });
            }
            CompletableFuture.allOf(all.toArray(new CompletableFuture<?>[0])).get();
            return v.getAll(null, List.of(key(100), key(101), key(102), key(103)));
        });
    }
}
