package flint.scenario;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a server answered, scenario by scenario, as a text file. */
public final class Transcript {
    private static final String HEAD = "== ";

    private final Map<String, List<String>> scenarios;

    private Transcript(Map<String, List<String>> scenarios) {
        this.scenarios = scenarios;
    }

    /** A transcript to be filled. */
    public static Transcript empty() {
        return new Transcript(new LinkedHashMap<>());
    }

    /** Reads one that {@link #write} has written. */
    public static Transcript read(Path file) throws IOException {
        Transcript transcript = empty();
        List<String> lines = new ArrayList<>();
        for (String line : Files.readString(file, StandardCharsets.UTF_8).split("\n")) {
            if (line.startsWith(HEAD)) {
                lines = new ArrayList<>();
                transcript.scenarios.put(line.substring(HEAD.length()), lines);
            } else if (!line.isEmpty()) {
                lines.add(line);
            }
        }
        return transcript;
    }

    /** Adds a scenario at the end. */
    public void add(String scenario, List<String> lines) {
        scenarios.put(scenario, List.copyOf(lines));
    }

    /** The lines of a scenario, none if it was not played. */
    public List<String> lines(String scenario) {
        return scenarios.getOrDefault(scenario, List.of());
    }

    /** The names of the scenarios in their order. */
    public List<String> names() {
        return List.copyOf(scenarios.keySet());
    }

    /** How many steps all scenarios have. */
    public int steps() {
        return scenarios.values().stream().mapToInt(List::size).sum();
    }

    /** Writes the file. */
    public void write(Path file) throws IOException {
        StringBuilder text = new StringBuilder();
        scenarios.forEach((name, lines) -> {
            text.append(HEAD).append(name).append('\n');
            lines.forEach(line -> text.append(line).append('\n'));
            text.append('\n');
        });
        Files.createDirectories(file.toAbsolutePath().getParent());
        Files.writeString(file, text, StandardCharsets.UTF_8);
    }
}
