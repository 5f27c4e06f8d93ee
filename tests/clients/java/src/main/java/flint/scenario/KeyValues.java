package flint.scenario;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.ignite.table.KeyValueView;
import org.apache.ignite.table.RecordView;
import org.apache.ignite.table.Table;
import org.apache.ignite.table.Tuple;
import org.apache.ignite.table.mapper.Mapper;

/** The key-value view over tuples, and both views over plain Java objects. */
final class KeyValues {
    private static final String COLUMNS = "ID INT PRIMARY KEY, NAME VARCHAR, AGE INT";

    private KeyValues() {
    }

    static void register(Map<String, Scenario> all) {
        all.put("key-value/tuples", KeyValues::tuples);
        all.put("key-value/tuples-batch", KeyValues::tupleBatches);
        all.put("key-value/null-values", KeyValues::nulls);
        all.put("key-value/simple-types", KeyValues::simpleTypes);
        all.put("key-value/pojos", KeyValues::pojos);
        all.put("record/pojos", KeyValues::pojoRecords);
    }

    private static Tuple key(int id) {
        return Tuple.create().set("ID", id);
    }

    private static Tuple value(String name, Integer age) {
        return Tuple.create().set("NAME", name).set("AGE", age);
    }

    private static void tuples(Script s) {
        KeyValueView<Tuple, Tuple> v = s.table("KV1", COLUMNS).keyValueView();
        s.step("get missing", () -> v.get(null, key(1)));
        s.step("get-nullable missing", () -> v.getNullable(null, key(1)));
        s.step("get-or-default missing", () -> v.getOrDefault(null, key(1), value("default", 0)));
        s.run("put", () -> v.put(null, key(1), value("a", 10)));
        s.step("get", () -> v.get(null, key(1)));
        s.step("get-nullable", () -> v.getNullable(null, key(1)));
        s.step("get-or-default", () -> v.getOrDefault(null, key(1), value("default", 0)));
        s.step("contains", () -> v.contains(null, key(1)));
        s.step("contains missing", () -> v.contains(null, key(2)));
        s.step("get-and-put", () -> v.getAndPut(null, key(1), value("b", null)));
        s.step("get-and-put new", () -> v.getAndPut(null, key(2), value("c", 12)));
        s.step("put-if-absent present", () -> v.putIfAbsent(null, key(1), value("d", 13)));
        s.step("put-if-absent absent", () -> v.putIfAbsent(null, key(3), value("e", 14)));
        s.step("replace", () -> v.replace(null, key(1), value("f", 15)));
        s.step("replace missing", () -> v.replace(null, key(9), value("f", 15)));
        s.step("replace-exact wrong", () -> v.replace(null, key(1), value("f", 0), value("g", 16)));
        s.step("replace-exact right", () -> v.replace(null, key(1), value("f", 15), value("g", 16)));
        s.step("get-and-replace", () -> v.getAndReplace(null, key(1), value("h", 17)));
        s.step("get-and-replace missing", () -> v.getAndReplace(null, key(9), value("h", 17)));
        s.step("remove-exact wrong", () -> v.remove(null, key(1), value("h", 0)));
        s.step("remove-exact right", () -> v.remove(null, key(1), value("h", 17)));
        s.step("get-and-remove", () -> v.getAndRemove(null, key(2)));
        s.step("get-and-remove missing", () -> v.getAndRemove(null, key(2)));
        s.step("remove", () -> v.remove(null, key(3)));
        s.step("remove missing", () -> v.remove(null, key(3)));
        s.run("put with an empty value", () -> v.put(null, key(4), Tuple.create()));
        s.step("get", () -> v.get(null, key(4)));
        s.run("put with a key column in the value", () -> v.put(null, key(5), value("i", 1).set("ID", 6)));
        s.run("put with a value column in the key", () -> v.put(null, key(5).set("NAME", "x"), Tuple.create().set("AGE", 1)));
        s.step("get", () -> v.get(null, key(5)));
        s.run("put null value", () -> v.put(null, key(5), null));
        s.run("put null key", () -> v.put(null, null, value("a", 1)));
    }

    private static void tupleBatches(Script s) {
        KeyValueView<Tuple, Tuple> v = s.table("KV2", COLUMNS).keyValueView();
        Map<Tuple, Tuple> pairs = new LinkedHashMap<>();
        pairs.put(key(2), value("b", 20));
        pairs.put(key(1), value("a", 10));
        s.run("put-all", () -> v.putAll(null, pairs));
        s.step("get-all with a missing one", () -> v.getAll(null, List.of(key(1), key(2), key(3))));
        s.step("contains-all", () -> v.containsAll(null, List.of(key(1), key(2))));
        s.step("contains-all with a missing one", () -> v.containsAll(null, List.of(key(1), key(3))));
        s.step("remove-all with a missing one", () -> v.removeAll(null, List.of(key(1), key(3))));
        s.step("get-all", () -> v.getAll(null, List.of(key(1), key(2), key(3))));
        s.run("put-all empty", () -> v.putAll(null, Map.of()));
        s.step("get-all empty", () -> v.getAll(null, List.of()));
    }

    private static void nulls(Script s) {
        KeyValueView<Integer, String> v = s.table("KV3", "ID INT PRIMARY KEY, NAME VARCHAR")
                .keyValueView(Mapper.of(Integer.class, "ID"), Mapper.of(String.class, "NAME"));
        s.run("put null", () -> v.put(null, 1, null));
        s.step("get", () -> v.get(null, 1));
        s.step("get-nullable", () -> v.getNullable(null, 1));
        s.step("get-nullable missing", () -> v.getNullable(null, 2));
        s.step("get-or-default", () -> v.getOrDefault(null, 1, "default"));
        s.step("get-nullable-and-put", () -> v.getNullableAndPut(null, 1, "a"));
        s.step("get-nullable-and-replace", () -> v.getNullableAndReplace(null, 1, null));
        s.step("get-nullable-and-remove", () -> v.getNullableAndRemove(null, 1));
        s.step("get-nullable-and-remove missing", () -> v.getNullableAndRemove(null, 1));
        s.step("remove-exact null, missing", () -> v.remove(null, 1, null));
        s.run("put null", () -> v.put(null, 1, null));
        s.step("remove-exact null", () -> v.remove(null, 1, null));
    }

    private static void simpleTypes(Script s) {
        KeyValueView<Long, String> v = s.table("KV4", "K BIGINT PRIMARY KEY, V VARCHAR").keyValueView(Long.class, String.class);
        s.run("put", () -> v.put(null, 1L << 40, "a"));
        s.step("get", () -> v.get(null, 1L << 40));
        s.run("put-all", () -> v.putAll(null, Map.of(1L, "b", 2L, "c")));
        s.step("get-all", () -> v.getAll(null, List.of(1L, 2L, 3L)));
        s.step("remove-all", () -> v.removeAll(null, List.of(1L, 3L)));
        RecordView<String> r = s.table("KV5", "K VARCHAR PRIMARY KEY").recordView(Mapper.of(String.class, "K"));
        s.run("record of one column: upsert", () -> r.upsert(null, "a"));
        s.step("get", () -> r.get(null, "a"));
        s.step("get missing", () -> r.get(null, "b"));
        s.step("insert-all", () -> r.insertAll(null, List.of("a", "b")));
    }

    private static void pojos(Script s) {
        Table table = s.table("KV6", COLUMNS + ", SCORE DOUBLE DEFAULT 2.5");
        KeyValueView<PersonKey, Person> v = table.keyValueView(PersonKey.class, Person.class);
        s.run("put", () -> v.put(null, new PersonKey(1), new Person("a", 10, 1.5)));
        s.step("get", () -> v.get(null, new PersonKey(1)));
        s.run("put nulls", () -> v.put(null, new PersonKey(2), new Person(null, null, null)));
        s.step("get", () -> v.get(null, new PersonKey(2)));
        s.step("get missing", () -> v.get(null, new PersonKey(3)));
        s.step("get-all", () -> v.getAll(null, List.of(new PersonKey(1), new PersonKey(2), new PersonKey(3))).size());
        s.step("get-and-remove", () -> v.getAndRemove(null, new PersonKey(1)));
        s.step("remove-all missing", () -> v.removeAll(null, List.of(new PersonKey(1), new PersonKey(2))));
        KeyValueView<PersonKey, Short1> fewer = table.keyValueView(PersonKey.class, Short1.class);
        s.run("put of an object with fewer fields", () -> fewer.put(null, new PersonKey(4), new Short1("d")));
        s.step("get through the fewer fields", () -> fewer.get(null, new PersonKey(4)));
        s.step("get through all fields", () -> v.get(null, new PersonKey(4)));
    }

    private static void pojoRecords(Script s) {
        Table table = s.table("RP1", COLUMNS + ", SCORE DOUBLE DEFAULT 2.5");
        RecordView<PersonRecord> v = table.recordView(PersonRecord.class);
        s.run("upsert", () -> v.upsert(null, new PersonRecord(1, "a", 10, 1.5)));
        s.step("get", () -> v.get(null, new PersonRecord(1, null, null, null)));
        s.step("get missing", () -> v.get(null, new PersonRecord(2, null, null, null)));
        s.step("insert-all", () -> v.insertAll(null,
                List.of(new PersonRecord(1, "x", 0, 0.0), new PersonRecord(2, "b", 20, null))));
        s.step("get-all", () -> v.getAll(null, List.of(new PersonRecord(2, null, null, null), new PersonRecord(9, null, null, null),
                new PersonRecord(1, null, null, null))));
        s.step("delete-all", () -> v.deleteAll(null,
                List.of(new PersonRecord(9, null, null, null), new PersonRecord(1, null, null, null))));
        s.step("replace-exact", () -> v.replace(null, new PersonRecord(2, "b", 20, null), new PersonRecord(2, "c", 21, 1.0)));
        s.step("delete-exact", () -> v.deleteExact(null, new PersonRecord(2, "c", 21, 1.0)));
    }

    /** The key of a person. */
    static final class PersonKey {
        int id;

        PersonKey() {
        }

        PersonKey(int id) {
            this.id = id;
        }
    }

    /** The value columns of a person. */
    static final class Person {
        String name;
        Integer age;
        Double score;

        Person() {
        }

        Person(String name, Integer age, Double score) {
            this.name = name;
            this.age = age;
            this.score = score;
        }
    }

    /** One value column of a person. */
    static final class Short1 {
        String name;

        Short1() {
        }

        Short1(String name) {
            this.name = name;
        }
    }

    /** All columns of a person. */
    static final class PersonRecord {
        Integer id;
        String name;
        Integer age;
        Double score;

        PersonRecord() {
        }

        PersonRecord(Integer id, String name, Integer age, Double score) {
            this.id = id;
            this.name = name;
            this.age = age;
            this.score = score;
        }
    }
}
