package flint.scenario;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.SubmissionPublisher;
import java.util.function.IntFunction;
import org.apache.ignite.table.DataStreamerItem;
import org.apache.ignite.table.DataStreamerOptions;
import org.apache.ignite.table.RecordView;
import org.apache.ignite.table.Table;
import org.apache.ignite.table.Tuple;

/** The data streamer: additions, removals, a schema change on the way, rows that do not fit. */
final class Streams {
    private Streams() {
    }

    static void register(Map<String, Scenario> all) {
        all.put("stream/add-and-remove", Streams::addAndRemove);
        all.put("stream/errors", Streams::errors);
    }

    private static Tuple row(int id, Object value) {
        return Tuple.create().set("ID", id).set("V", value);
    }

    private static CompletableFuture<Void> stream(RecordView<Tuple> view, int from, int to, IntFunction<DataStreamerItem<Tuple>> item) {
        CompletableFuture<Void> done;
        try (var publisher = new SubmissionPublisher<DataStreamerItem<Tuple>>()) {
            done = view.streamData(publisher, DataStreamerOptions.builder().pageSize(100).build());
            for (int i = from; i < to; i++) {
                publisher.submit(item.apply(i));
            }
        }
        return done;
    }

    private static long present(RecordView<Tuple> view, int from, int to) {
        List<Tuple> keys = new ArrayList<>();
        for (int i = from; i < to; i++) {
            keys.add(Tuple.create().set("ID", i));
        }
        return view.getAll(null, keys).stream().filter(t -> t != null).count();
    }

    private static void addAndRemove(Script s) {
        RecordView<Tuple> v = s.table("S1", "ID INT PRIMARY KEY, V VARCHAR").recordView();
        s.step("stream of 2000 rows", () -> stream(v, 0, 2000, i -> DataStreamerItem.of(row(i, "v" + i))));
        s.step("rows", () -> present(v, 0, 2000));
        s.step("one of them", () -> v.get(null, Tuple.create().set("ID", 1234)));
        s.step("stream of 1000 removals and 500 changes", () -> stream(v, 0, 1500, i -> i < 1000
                ? DataStreamerItem.removed(Tuple.create().set("ID", i)) : DataStreamerItem.of(row(i, "w"))));
        s.step("rows", () -> present(v, 0, 2000));
        s.step("a changed one", () -> v.get(null, Tuple.create().set("ID", 1234)));
        s.sql("ALTER TABLE S1 ADD COLUMN W INT DEFAULT 3");
        s.step("stream after ADD COLUMN", () -> stream(v, 5000, 5100, i -> DataStreamerItem.of(row(i, "x"))));
        s.step("one of them", () -> v.get(null, Tuple.create().set("ID", 5050)));
        Table table = s.table("S2", "A VARCHAR, ID INT PRIMARY KEY, V INT DEFAULT 4");
        s.step("stream of entries", () -> {
            CompletableFuture<Void> done;
            try (var publisher = new SubmissionPublisher<DataStreamerItem<Map.Entry<Tuple, Tuple>>>()) {
                done = table.keyValueView().streamData(publisher, null);
                for (int i = 0; i < 100; i++) {
                    publisher.submit(DataStreamerItem.of(Map.entry(Tuple.create().set("ID", i), Tuple.create().set("A", "a" + i))));
                }
            }
            return done;
        });
        s.step("one of them", () -> table.recordView().get(null, Tuple.create().set("ID", 99)));
    }

    private static void errors(Script s) {
        RecordView<Tuple> v = s.table("S3", "ID INT PRIMARY KEY, V INT NOT NULL").recordView();
        s.step("stream of a row without a NOT NULL column",
                () -> stream(v, 0, 1, i -> DataStreamerItem.of(Tuple.create().set("ID", i))));
        s.step("stream of a row of a wrong type", () -> stream(v, 0, 1, i -> DataStreamerItem.of(row(i, "text"))));
        s.step("stream of nothing", () -> stream(v, 0, 0, i -> null));
    }
}
