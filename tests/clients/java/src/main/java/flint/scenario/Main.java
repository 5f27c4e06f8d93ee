package flint.scenario;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.apache.ignite.client.IgniteClient;

/** Writes the transcript of a server: {@code ADDRESS FILE [PREFIX]}, the prefix choosing scenarios by name. */
public final class Main {
    private Main() {
    }

    /** Runs the scenarios against the server at an address and writes what it answered. */
    public static void main(String[] args) throws IOException {
        String address = args[0];
        String prefix = args.length > 2 ? args[2] : "";
        Transcript transcript = Transcript.empty();
        try (IgniteClient client = IgniteClient.builder().addresses(address).build()) {
            for (Map.Entry<String, Scenario> scenario : Scenarios.all().entrySet()) {
                if (scenario.getKey().startsWith(prefix)) {
                    transcript.add(scenario.getKey(), Scenarios.play(scenario.getValue(), client, address));
                }
            }
        }
        transcript.write(Path.of(args[1]));
        System.out.println(transcript.names().size() + " scenarios, " + transcript.steps() + " steps: " + args[1]);
        System.exit(0);
    }
}
