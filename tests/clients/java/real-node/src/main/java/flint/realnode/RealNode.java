package flint.realnode;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;
import org.apache.ignite.IgniteServer;
import org.apache.ignite.InitParameters;

/**
 * One real Ignite node in this process, on free ports, with its data in a temporary directory.
 *
 * <p>Prints {@code real-node ready igni=127.0.0.1:PORT} once it serves, and stops when its standard input ends.
 * With two arguments, a user and a password, authentication is on.
 */
public final class RealNode {
    private static final String NAME = "real";

    private RealNode() {
    }

    /** Runs the node until standard input ends. */
    public static void main(String[] args) throws Exception {
        Path dir = Files.createTempDirectory("real-node");
        int client = freePort();
        int network = freePort();
        Path config = dir.resolve("node.conf");
        Files.writeString(config, String.join("\n",
                "ignite {",
                "  network { port: " + network + ", nodeFinder.netClusterNodes: [\"localhost:" + network + "\"] }",
                "  clientConnector { port: " + client + ", listenAddresses: [\"127.0.0.1\"] }",
                "  rest { port: " + freePort() + " }",
                "  storage.profiles: [{ name: default, engine: aipersist, sizeBytes: 268435456 }]",
                "}",
                ""));

        IgniteServer server = IgniteServer.start(NAME, config, dir.resolve("work"));
        try {
            server.initCluster(InitParameters.builder()
                    .clusterName("real")
                    .metaStorageNodes(server)
                    .clusterConfiguration(clusterConfiguration(args))
                    .build());
            server.api();
            System.out.println("real-node ready igni=127.0.0.1:" + client);
            System.out.flush();
            while (System.in.read() >= 0) {
                continue;
            }
        } finally {
            server.shutdown();
            delete(dir);
        }
        System.exit(0);
    }

    private static String clusterConfiguration(String[] args) {
        if (args.length < 2) {
            return "ignite {}";
        }
        return "ignite { security { enabled: true, authentication.providers: [{ name: default, type: basic, users: [{"
                + " username: \"" + args[0] + "\", password: \"" + args[1] + "\" }] }] } }";
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private static void delete(Path dir) throws IOException {
        try (Stream<Path> paths = Files.walk(dir)) {
            for (Path path : (Iterable<Path>) paths.sorted(Comparator.reverseOrder())::iterator) {
                Files.deleteIfExists(path);
            }
        }
    }
}
