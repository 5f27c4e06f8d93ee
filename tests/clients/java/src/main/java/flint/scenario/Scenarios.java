package flint.scenario;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.ignite.client.IgniteClient;

/** All scenarios by name, in the order of the transcript. */
public final class Scenarios {
    private Scenarios() {
    }

    /** The scenarios; they share nothing but the server. */
    public static Map<String, Scenario> all() {
        Map<String, Scenario> all = new LinkedHashMap<>();
        Tables.register(all);
        Columns.register(all);
        Records.register(all);
        KeyValues.register(all);
        Transactions.register(all);
        Streams.register(all);
        return Collections.unmodifiableMap(all);
    }

    /** The lines of one scenario; one that stops early ends with the reason. */
    public static List<String> play(Scenario scenario, IgniteClient client, String address) {
        Script script = new Script(client, address);
        try {
            scenario.run(script);
        } catch (Exception e) {
            script.stopped(e);
        }
        return script.lines();
    }
}
