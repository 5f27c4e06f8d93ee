package flint.scenario;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.ignite.table.RecordView;
import org.apache.ignite.table.Tuple;

/** Every column type with the ends of its range, as a value and as a key, and what lies beyond. */
final class Columns {
    private static final String LONG = "x".repeat(65536);

    private Columns() {
    }

    static void register(Map<String, Scenario> all) {
        for (Type type : types()) {
            all.put("column/" + type.name, s -> values(s, type));
        }
        for (Type type : types()) {
            if (type.key) {
                all.put("key/" + type.name, s -> keys(s, type));
            }
        }
        all.put("column/zeroes-as-keys", Columns::zeroes);
        all.put("column/wrong-types", Columns::wrongTypes);
        all.put("column/all-in-one-row", Columns::oneRow);
    }

    private record Type(String name, String sql, boolean key, List<Object> values) {
    }

    private static List<Type> types() {
        return List.of(
                new Type("boolean", "BOOLEAN", true, List.of(true, false)),
                new Type("tinyint", "TINYINT", true, List.of(Byte.MIN_VALUE, Byte.MAX_VALUE, (byte) 0, (byte) -1)),
                new Type("smallint", "SMALLINT", true,
                        List.of(Short.MIN_VALUE, Short.MAX_VALUE, (short) 0, (short) 127, (short) 128, (short) -129)),
                new Type("int", "INT", true,
                        List.of(Integer.MIN_VALUE, Integer.MAX_VALUE, 0, 127, 128, 32767, 32768, -32769)),
                new Type("bigint", "BIGINT", true,
                        List.of(Long.MIN_VALUE, Long.MAX_VALUE, 0L, 1L << 31, -(1L << 31) - 1, 127L, 128L)),
                new Type("real", "REAL", true,
                        List.of(Float.MIN_VALUE, -Float.MAX_VALUE, Float.MAX_VALUE, -0.0f, Float.NaN,
                                Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 1.5f)),
                new Type("double", "DOUBLE", true,
                        List.of(Double.MIN_VALUE, -Double.MAX_VALUE, Double.MAX_VALUE, -0.0, Double.NaN,
                                Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 0.1, 1.5)),
                new Type("decimal", "DECIMAL(10, 3)", true,
                        List.of(dec("9999999.999"), dec("-9999999.999"), dec("0"), dec("0.000"), dec("1.5"), dec("1000"),
                                dec("1.23449"), dec("1.2345"), dec("-1.2345"), dec("1e3"), dec("9999999.9994"),
                                dec("9999999.9995"), dec("10000000"), dec("1e30"), dec("1e-30"))),
                new Type("decimal-wide", "DECIMAL(38, 0)", true,
                        List.of(new BigDecimal(BigInteger.TEN.pow(38).subtract(BigInteger.ONE)),
                                new BigDecimal(BigInteger.ONE.subtract(BigInteger.TEN.pow(38))),
                                new BigDecimal(BigInteger.TEN.pow(38)), dec("0.5"), dec("1.5"), dec("-0.5"))),
                new Type("decimal-plain", "DECIMAL", true, List.of(dec("1"), dec("1.5"), dec("32767.00000"))),
                new Type("decimal-max-scale", "DECIMAL(100, 90)", false,
                        List.of(dec("1e-90"), dec("9999999999"), dec("1e-91"), dec("10000000000"))),
                new Type("date", "DATE", true,
                        List.of(LocalDate.of(1970, 1, 1), LocalDate.of(2024, 2, 29), LocalDate.of(1, 1, 1),
                                LocalDate.of(0, 12, 31), LocalDate.of(-1, 1, 1), LocalDate.of(9999, 12, 31),
                                LocalDate.of(10000, 1, 1), LocalDate.of(16383, 12, 31), LocalDate.of(-16384, 1, 1),
                                LocalDate.of(16384, 1, 1))),
                new Type("time", "TIME", true,
                        List.of(LocalTime.MIN, LocalTime.of(10, 20, 30), LocalTime.of(10, 20, 30, 123456789), LocalTime.MAX)),
                new Type("time3", "TIME(3)", true,
                        List.of(LocalTime.MIN, LocalTime.of(10, 20, 30, 123456789), LocalTime.of(10, 20, 30, 999999999),
                                LocalTime.MAX)),
                new Type("time9", "TIME(9)", false, List.of(LocalTime.MAX, LocalTime.of(1, 2, 3, 4))),
                new Type("timestamp", "TIMESTAMP", true,
                        List.of(LocalDateTime.of(2024, 2, 29, 10, 20, 30), LocalDateTime.of(2024, 2, 29, 10, 20, 30, 123456789),
                                LocalDateTime.of(1, 1, 1, 0, 0), LocalDateTime.of(-1, 1, 1, 0, 0),
                                LocalDateTime.of(9999, 12, 31, 23, 59, 59, 999999999),
                                LocalDateTime.of(10000, 1, 1, 0, 0))),
                new Type("timestamp0", "TIMESTAMP(0)", true,
                        List.of(LocalDateTime.of(1969, 12, 31, 23, 59, 59, 999999999))),
                new Type("timestamp9", "TIMESTAMP(9)", false,
                        List.of(LocalDateTime.of(1969, 12, 31, 23, 59, 59, 999999999))),
                new Type("timestamp-ltz", "TIMESTAMP WITH LOCAL TIME ZONE", true,
                        List.of(Instant.EPOCH, Instant.ofEpochSecond(1, 123456789), Instant.ofEpochSecond(-1, 999999999),
                                Instant.parse("0001-01-01T00:00:00Z"), Instant.parse("9999-12-31T23:59:59.999999999Z"),
                                Instant.ofEpochSecond(Long.MAX_VALUE / 1_000_000_000), Instant.MAX, Instant.MIN)),
                new Type("timestamp0-ltz", "TIMESTAMP(0) WITH LOCAL TIME ZONE", true,
                        List.of(Instant.ofEpochSecond(1, 999999999), Instant.ofEpochSecond(-1, 1))),
                new Type("uuid", "UUID", true,
                        List.of(new UUID(0, 0), new UUID(-1, -1), new UUID(1, 2), new UUID(Long.MIN_VALUE, Long.MAX_VALUE))),
                new Type("varchar", "VARCHAR", true,
                        List.of("", "a", "\u0000", "\u0080", "\u00e9\u4e2d\ud83d\ude00", "a\"b", LONG, LONG + "x")),
                new Type("varchar3", "VARCHAR(3)", true,
                        List.of("abc", "abcd", "\u4e2d\u4e2d\u4e2d", "\ud83d\ude00\ud83d\ude00", "\ud83d\ude00\ud83d\ude00\ud83d\ude00", "ab ", "   x")),
                new Type("varbinary", "VARBINARY", true,
                        List.of(new byte[0], new byte[] {0}, new byte[] {(byte) 0x80}, new byte[] {(byte) 0x80, 1},
                                new byte[] {-1, 0, 1}, new byte[65536], new byte[65537])),
                new Type("varbinary3", "VARBINARY(3)", true, List.of(new byte[] {1, 2, 3}, new byte[] {1, 2, 3, 4})));
    }

    private static void values(Script s, Type type) {
        RecordView<Tuple> view = s.table("V", "ID INT PRIMARY KEY, V " + type.sql).recordView();
        Tuple key = Tuple.create().set("ID", 1);
        for (Object value : type.values) {
            s.run("upsert(1, " + Text.of(value) + ")", () -> view.upsert(null, Tuple.copy(key).set("V", value)));
            s.step("get(1)", () -> view.get(null, key));
            s.step("delete-exact(1, same)", () -> view.deleteExact(null, Tuple.copy(key).set("V", value)));
            s.step("delete(1)", () -> view.delete(null, key));
        }
        s.run("upsert(1, null)", () -> view.upsert(null, Tuple.copy(key).set("V", null)));
        s.step("get(1)", () -> view.get(null, key));
    }

    private static void keys(Script s, Type type) {
        RecordView<Tuple> view = s.table("K", "K " + type.sql + " PRIMARY KEY, N INT").recordView();
        int n = 0;
        for (Object value : type.values) {
            Tuple key = Tuple.create().set("K", value);
            Tuple row = Tuple.copy(key).set("N", n++);
            s.run("upsert(" + Text.of(value) + ", " + row.intValue("N") + ")", () -> view.upsert(null, row));
            s.step("get(same)", () -> view.get(null, key));
        }
        s.run("upsert(null)", () -> view.upsert(null, Tuple.create().set("K", null).set("N", 0)));
        s.step("get(null)", () -> view.get(null, Tuple.create().set("K", null)));
    }

    private static void zeroes(Script s) {
        RecordView<Tuple> doubles = s.table("KD", "K DOUBLE PRIMARY KEY, N INT").recordView();
        s.run("upsert(0.0)", () -> doubles.upsert(null, Tuple.create().set("K", 0.0).set("N", 1)));
        s.step("get(-0.0)", () -> doubles.get(null, Tuple.create().set("K", -0.0)));
        s.step("insert(-0.0)", () -> doubles.insert(null, Tuple.create().set("K", -0.0).set("N", 2)));
        s.step("get(0.0)", () -> doubles.get(null, Tuple.create().set("K", 0.0)));
        s.run("upsert(NaN)", () -> doubles.upsert(null, Tuple.create().set("K", Double.NaN).set("N", 3)));
        s.step("get(another NaN)",
                () -> doubles.get(null, Tuple.create().set("K", Double.longBitsToDouble(0x7ff8000000000001L))));
        RecordView<Tuple> decimals = s.table("KC", "K DECIMAL(10, 3) PRIMARY KEY, N INT").recordView();
        s.run("upsert(1)", () -> decimals.upsert(null, Tuple.create().set("K", dec("1")).set("N", 1)));
        s.step("get(1.00)", () -> decimals.get(null, Tuple.create().set("K", dec("1.00"))));
        s.step("get(1.0004)", () -> decimals.get(null, Tuple.create().set("K", dec("1.0004"))));
        s.step("insert(1.000)", () -> decimals.insert(null, Tuple.create().set("K", dec("1.000")).set("N", 2)));
        RecordView<Tuple> times = s.table("KT", "K TIME(0) PRIMARY KEY, N INT").recordView();
        s.run("upsert(10:20:30.5)", () -> times.upsert(null, Tuple.create().set("K", LocalTime.parse("10:20:30.5")).set("N", 1)));
        s.step("get(10:20:30)", () -> times.get(null, Tuple.create().set("K", LocalTime.parse("10:20:30"))));
        s.step("get(10:20:30.7)", () -> times.get(null, Tuple.create().set("K", LocalTime.parse("10:20:30.7"))));
        s.step("insert(10:20:30.9)",
                () -> times.insert(null, Tuple.create().set("K", LocalTime.parse("10:20:30.9")).set("N", 2)));
    }

    private static void wrongTypes(Script s) {
        RecordView<Tuple> view = s.table("W", "ID INT PRIMARY KEY, B TINYINT, L BIGINT, D DOUBLE, S VARCHAR, C DECIMAL(5, 2)")
                .recordView();
        List<Map.Entry<String, Object>> cases = List.of(
                Map.entry("B", 1), Map.entry("B", 1000), Map.entry("B", 1L), Map.entry("B", (short) 300), Map.entry("L", 1),
                Map.entry("L", (byte) 1), Map.entry("D", 1.5f), Map.entry("D", 1), Map.entry("S", 1), Map.entry("S", 'c'),
                Map.entry("C", 1), Map.entry("C", 1.5), Map.entry("C", BigInteger.ONE), Map.entry("ID", 1L),
                Map.entry("ID", "1"));
        for (Map.Entry<String, Object> e : cases) {
            String what = e.getKey() + "=" + e.getValue().getClass().getSimpleName() + " " + e.getValue();
            s.run("upsert(" + what + ")",
                    () -> view.upsert(null, Tuple.create().set("ID", 1).set(e.getKey(), e.getValue())));
        }
        s.step("get(1)", () -> view.get(null, Tuple.create().set("ID", 1)));
        s.step("get(long 1)", () -> view.get(null, Tuple.create().set("ID", 1L)));
    }

    private static void oneRow(Script s) {
        RecordView<Tuple> view = s.table("ALL_TYPES", "C01 BOOLEAN, C02 TINYINT, C03 SMALLINT, C04 INT, C05 BIGINT, C06 REAL,"
                + " C07 DOUBLE, C08 DECIMAL(20, 5), C09 DATE, C10 TIME(9), C11 TIMESTAMP(9),"
                + " C12 TIMESTAMP(9) WITH LOCAL TIME ZONE, ID INT PRIMARY KEY, C13 UUID, C14 VARCHAR(100), C15 VARBINARY(100)")
                .recordView();
        Tuple row = Tuple.create().set("ID", 7).set("C01", true).set("C02", (byte) 2).set("C03", (short) 3).set("C04", 4)
                .set("C05", 5L).set("C06", 6.5f).set("C07", 7.25).set("C08", dec("8.12345")).set("C09", LocalDate.of(2024, 2, 29))
                .set("C10", LocalTime.of(1, 2, 3, 4)).set("C11", LocalDateTime.of(2024, 2, 29, 1, 2, 3, 4))
                .set("C12", Instant.ofEpochSecond(5, 6)).set("C13", new UUID(1, 2)).set("C14", "text").set("C15", new byte[] {1, 2});
        s.run("upsert(all columns)", () -> view.upsert(null, row));
        s.step("get(7)", () -> view.get(null, Tuple.create().set("ID", 7)));
        s.step("replace(same, same)", () -> view.replace(null, row, row));
        s.run("upsert(only the key)", () -> view.upsert(null, Tuple.create().set("ID", 7)));
        s.step("get(7)", () -> view.get(null, Tuple.create().set("ID", 7)));
        s.step("delete-exact(only the key)", () -> view.deleteExact(null, Tuple.create().set("ID", 7)));
    }

    private static BigDecimal dec(String text) {
        return new BigDecimal(text);
    }
}
