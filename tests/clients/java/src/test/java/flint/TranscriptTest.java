package flint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import flint.scenario.Differences;
import flint.scenario.Scenarios;
import flint.scenario.Transcript;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.ignite.client.IgniteClient;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Plays every scenario against flint and holds each answer to the one that a real node gave. */
class TranscriptTest {
    private static final String CLIENT = System.getProperty("ignite.client", "3.1.0");
    private static final Path REAL =
            Path.of("transcripts", CLIENT.equals("3.1.0") ? "ignite-3.1.0.txt" : "ignite-3.1.0-client-" + CLIENT + ".txt");
    private static final Transcript ANSWERS = Transcript.empty();

    private static FlintServer server;
    private static IgniteClient client;
    private static Transcript real;
    private static Differences differences;

    @BeforeAll
    static void start() throws IOException {
        server = FlintServer.inMemory();
        client = IgniteClient.builder().addresses(server.address()).build();
        real = Transcript.read(REAL);
        differences = Differences.read(Path.of("differences.txt"), CLIENT);
    }

    @AfterAll
    static void stop() throws IOException {
        client.close();
        server.close();
        ANSWERS.write(Path.of(System.getProperty("project.build.directory", "target"), "flint.txt"));
        System.out.println("side by side with a real node, client " + CLIENT + ": " + ANSWERS.steps() + " steps, "
                + differences.size() + " differences listed with a reason");
    }

    @TestFactory
    Stream<DynamicTest> scenarios() {
        Stream<DynamicTest> all = Scenarios.all().entrySet().stream().map(scenario -> dynamicTest(scenario.getKey(), () -> {
            List<String> answers = Scenarios.play(scenario.getValue(), client, server.address());
            ANSWERS.add(scenario.getKey(), answers);
            List<String> expected = real.lines(scenario.getKey());
            List<String> wrong = new ArrayList<>();
            for (int i = 0; i < Math.max(expected.size(), answers.size()); i++) {
                String answer = i < answers.size() ? answers.get(i) : "(nothing)";
                String line = i < expected.size() ? expected.get(i) : "(nothing)";
                String before = i > 0 && i <= expected.size() ? expected.get(i - 1) : "";
                String accepted = differences.expect(scenario.getKey(), before, line);
                if (!accepted.equals(answer)) {
                    wrong.add("  expected " + accepted + "\n  flint    " + answer);
                }
            }
            assertTrue(wrong.isEmpty(), () -> wrong.size() + " answers differ\n" + String.join("\n", wrong) + "\n");
        }));
        DynamicTest stale = dynamicTest("every listed difference is needed", () -> assertEquals(List.of(), differences.unused()));
        DynamicTest complete = dynamicTest("every scenario was recorded",
                () -> assertEquals(List.copyOf(Scenarios.all().keySet()), real.names()));
        return Stream.concat(all, Stream.of(stale, complete));
    }
}
