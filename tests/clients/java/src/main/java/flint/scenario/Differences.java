package flint.scenario;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The lines in which Flint differs on purpose, each with its reason.
 *
 * <p>The file holds paragraphs of {@code scenario:}, {@code real:}, {@code flint:} and {@code why:}; {@code client:} limits one to a client
 * version, {@code after:} to lines that follow a certain one, and a scenario may end in {@code *}. Every such line of the real transcript that
 * equals {@code real} is read as {@code flint}.
 */
public final class Differences {
    private final List<Entry> entries = new ArrayList<>();

    private Differences() {
    }

    /** Reads the file for one client version. */
    public static Differences read(Path file, String client) throws IOException {
        Differences differences = new Differences();
        for (String paragraph : Files.readString(file, StandardCharsets.UTF_8).split("\n\n+")) {
            Map<String, String> fields = new HashMap<>();
            for (String line : paragraph.split("\n")) {
                if (!line.isBlank() && !line.startsWith("#")) {
                    int colon = line.indexOf(": ");
                    if (colon < 0 || fields.put(line.substring(0, colon), line.substring(colon + 2)) != null) {
                        throw new IOException(file + ": not a field, or twice: " + line);
                    }
                }
            }
            if (fields.isEmpty()) {
                continue;
            }
            String version = fields.remove("client");
            Entry entry = new Entry(fields.remove("scenario"), fields.remove("after"), fields.remove("real"), fields.remove("flint"));
            boolean reasoned = fields.remove("why") != null;
            if (!fields.isEmpty() || entry.scenario == null || entry.real == null || entry.flint == null || !reasoned) {
                throw new IOException(file + ": incomplete or unknown fields: " + paragraph);
            }
            if (version == null || version.equals(client)) {
                differences.entries.add(entry);
            }
        }
        return differences;
    }

    /** What Flint is expected to answer where the real server answered {@code line} after {@code before}. */
    public String expect(String scenario, String before, String line) {
        for (Entry entry : entries) {
            if (entry.matches(scenario, before, line)) {
                entry.used = true;
                return entry.flint;
            }
        }
        return line;
    }

    /** The entries that no line of the real transcript needed: they are stale. */
    public List<String> unused() {
        return entries.stream().filter(e -> !e.used).map(e -> e.scenario + ": " + e.real).toList();
    }

    /** How many entries there are. */
    public int size() {
        return entries.size();
    }

    private static final class Entry {
        private final String scenario;
        private final String after;
        private final String real;
        private final String flint;
        private boolean used;

        private Entry(String scenario, String after, String real, String flint) {
            this.scenario = scenario;
            this.after = after;
            this.real = real;
            this.flint = flint;
        }

        private boolean matches(String name, String before, String line) {
            boolean here = scenario.endsWith("*") ? name.startsWith(scenario.substring(0, scenario.length() - 1)) : name.equals(scenario);
            return here && real.equals(line) && (after == null || after.equals(before));
        }
    }
}
