package flint.scenario;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.math.BigDecimal;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.apache.ignite.lang.NullableValue;
import org.apache.ignite.table.Tuple;

/** Values as text that tells their type, the same in every run. */
final class Text {
    /** What differs from run to run, and its kind. */
    private static final Map<Pattern, String> VARYING = varying();
    private static final int TEXT_MAX = 60;

    private Text() {
    }

    /** Replaces what no two runs share by its kind; the text stays on one line. */
    static String normalise(String text) {
        String s = text.replace("\r", "").replace("\n", "\\n");
        for (Map.Entry<Pattern, String> e : VARYING.entrySet()) {
            s = e.getKey().matcher(s).replaceAll(e.getValue());
        }
        return s;
    }

    private static Map<Pattern, String> varying() {
        Map<Pattern, String> map = new LinkedHashMap<>();
        map.put(Pattern.compile("ClientTransaction \\[[^\\]]*\\]"), "ClientTransaction [...]");
        map.put(Pattern.compile("txId=\\{[^}]*\\}"), "txId={}");
        map.put(Pattern.compile("TraceId:[0-9a-f-]+"), "TraceId:<id>");
        map.put(Pattern.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>");
        map.put(Pattern.compile("(localhost)?/?127\\.0\\.0\\.1(/<unresolved>)?:\\d+"), "<address>");
        map.put(Pattern.compile("((?:\\[(?:locker|id)|holder|txId)=)(<uuid>|\\d+)"), "$1<id>");
        map.put(Pattern.compile("(tableId=|dropped concurrently: )\\d+"), "$1<id>");
        return map;
    }

    /** A value, with a mark for each type that Java would otherwise print alike. */
    static String of(Object value) {
        if (value == null) {
            return "null";
        } else if (value instanceof String s) {
            return s.length() > TEXT_MAX ? "string of " + s.length() : '"' + escaped(s) + '"';
        } else if (value instanceof byte[] b) {
            return b.length > TEXT_MAX ? "bytes of " + b.length : "x'" + HexFormat.of().formatHex(b) + "'";
        } else if (value instanceof Byte) {
            return value + "b";
        } else if (value instanceof Short) {
            return value + "s";
        } else if (value instanceof Long) {
            return value + "L";
        } else if (value instanceof Float f) {
            return f + "f";
        } else if (value instanceof BigDecimal d) {
            return d + "m";
        } else if (value instanceof LocalDate d) {
            return "date " + d;
        } else if (value instanceof java.util.UUID u) {
            return "uuid " + u.toString().replace("-", "");
        } else if (value instanceof Tuple tuple) {
            return tuple(tuple);
        } else if (value instanceof NullableValue<?> nullable) {
            return "nullable " + of(nullable.get());
        } else if (value instanceof Map.Entry<?, ?> entry) {
            return of(entry.getKey()) + ": " + of(entry.getValue());
        } else if (value instanceof Map<?, ?> map) {
            return sorted(map.entrySet());
        } else if (value instanceof List<?> list) {
            return list.stream().map(Text::of).toList().toString();
        } else if (value instanceof Collection<?> set) {
            return sorted(set);
        } else if (value.getClass().getName().startsWith("flint.")) {
            return pojo(value);
        }
        return value.toString();
    }

    private static String escaped(String s) {
        StringBuilder out = new StringBuilder();
        s.chars().forEach(c -> out.append(Character.isISOControl(c) ? String.format("\\u%04x", c) : (char) c));
        return out.toString();
    }

    /** The elements in the order of their texts, for answers whose order is free. */
    static String sorted(Collection<?> values) {
        return values.stream().map(Text::of).sorted().toList().toString();
    }

    private static String tuple(Tuple tuple) {
        List<String> columns = new ArrayList<>();
        for (int i = 0; i < tuple.columnCount(); i++) {
            columns.add(tuple.columnName(i) + "=" + of(tuple.value(i)));
        }
        return "{" + String.join(", ", columns) + "}";
    }

    private static String pojo(Object value) {
        List<String> fields = new ArrayList<>();
        for (Field field : value.getClass().getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers())) {
                continue;
            }
            try {
                field.setAccessible(true);
                fields.add(field.getName() + "=" + of(field.get(value)));
            } catch (IllegalAccessException e) {
                throw new IllegalStateException(e);
            }
        }
        return value.getClass().getSimpleName() + "(" + String.join(", ", fields) + ")";
    }
}
