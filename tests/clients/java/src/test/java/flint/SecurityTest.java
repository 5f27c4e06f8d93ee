package flint;

import static flint.Clients.key;
import static flint.Clients.row;
import static flint.Clients.table;
import static flint.Clients.texts;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.apache.ignite.client.BasicAuthenticator;
import org.apache.ignite.client.IgniteClient;
import org.apache.ignite.client.IgniteClientConnectionException;
import org.apache.ignite.client.SslConfiguration;
import org.apache.ignite.table.RecordView;
import org.apache.ignite.table.Tuple;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Credentials and TLS: who gets in, who does not, and what the refused one is told. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SecurityTest {
    @TempDir
    private static Path dir;
    private static Keys keys;

    @BeforeAll
    static void makeKeys() throws Exception {
        keys = new Keys(dir);
        keys.issue("server");
        keys.issue("client");
        Files.writeString(dir.resolve("password"), "secret\n");
    }

    @Test
    void right_credentials_get_in() throws Exception {
        try (FlintServer server = withUser(); IgniteClient client = login(server, "alice", "secret")) {
            works(client);
        }
    }

    @Test
    void wrong_credentials_are_refused() throws Exception {
        try (FlintServer server = withUser()) {
            for (String[] pair : new String[][] {{"alice", "Secret"}, {"alice", ""}, {"bob", "secret"}, {"", ""}}) {
                refused("InvalidCredentials", () -> login(server, pair[0], pair[1]));
            }
            refused("InvalidCredentials", () -> Clients.connect(server.address()));
            login(server, "alice", "secret").close();
        }
    }

    @Test
    void credentials_are_ignored_when_no_users_are_set() throws Exception {
        try (FlintServer server = FlintServer.inMemory(); IgniteClient client = login(server, "alice", "secret")) {
            works(client);
        }
    }

    @Test
    void tls_without_client_certificate() throws Exception {
        try (FlintServer server = FlintServer.inMemory("--tls-cert", keys.pem("server"), "--tls-key", keys.key("server"))) {
            try (IgniteClient client = tls(server, null)) {
                works(client);
            }
            assertThrows(IgniteClientConnectionException.class, () -> Clients.connect(server.address()), "no TLS on a TLS port");
            assertThrows(IgniteClientConnectionException.class, () -> IgniteClient.builder().addresses(server.address())
                    .ssl(SslConfiguration.builder().enabled(true).build()).build(), "an authority that the client does not know");
        }
    }

    @Test
    void tls_with_client_certificate() throws Exception {
        Path elsewhere = Files.createDirectory(dir.resolve("elsewhere"));
        Keys stranger = new Keys(elsewhere);
        stranger.issue("client");
        try (FlintServer server = FlintServer.inMemory("--tls-cert", keys.pem("server"), "--tls-key", keys.key("server"),
                "--tls-client-ca", keys.pem("ca"))) {
            try (IgniteClient client = tls(server, keys.store("client"))) {
                works(client);
            }
            assertThrows(IgniteClientConnectionException.class, () -> tls(server, null), "no certificate");
            assertThrows(IgniteClientConnectionException.class, () -> tls(server, stranger.store("client")), "another authority's");
        }
    }

    @Test
    void tls_with_credentials() throws Exception {
        try (FlintServer server = FlintServer.inMemory("--tls-cert", keys.pem("server"), "--tls-key", keys.key("server"),
                "--user", "alice", "--password-file", dir.resolve("password").toString())) {
            IgniteClient.Builder builder = IgniteClient.builder().addresses(server.address()).ssl(trusting(null));
            refused("InvalidCredentials", builder::build);
            try (IgniteClient client = builder.authenticator(
                    BasicAuthenticator.builder().username("alice").password("secret").build()).build()) {
                works(client);
            }
        }
    }

    @Test
    void a_large_answer_over_tls() throws Exception {
        try (FlintServer server = FlintServer.inMemory("--tls-cert", keys.pem("server"), "--tls-key", keys.key("server"));
                IgniteClient client = tls(server, null)) {
            client.sql().execute(null, "CREATE TABLE B (ID INT PRIMARY KEY, V VARCHAR(10000000))").close();
            RecordView<Tuple> view = client.tables().table("B").recordView();
            view.upsert(null, row(1, "x".repeat(5_000_000)));
            assertEquals(5_000_000, view.get(null, key(1)).stringValue("V").length());
        }
    }

    private static FlintServer withUser() throws Exception {
        return FlintServer.inMemory("--user", "alice", "--password-file", dir.resolve("password").toString());
    }

    private static IgniteClient login(FlintServer server, String user, String password) {
        return IgniteClient.builder().addresses(server.address())
                .authenticator(BasicAuthenticator.builder().username(user).password(password).build()).build();
    }

    private static IgniteClient tls(FlintServer server, String keyStore) {
        return IgniteClient.builder().addresses(server.address()).ssl(trusting(keyStore)).build();
    }

    private static SslConfiguration trusting(String keyStore) {
        SslConfiguration.Builder builder = SslConfiguration.builder().enabled(true).trustStorePath(keys.store("trust"))
                .trustStorePassword(Keys.PASSWORD);
        return (keyStore == null ? builder : builder.keyStorePath(keyStore).keyStorePassword(Keys.PASSWORD)).build();
    }

    private static void works(IgniteClient client) {
        RecordView<Tuple> view = table(client);
        view.upsert(null, row(1, "a"));
        assertEquals(row(1, "a"), view.get(null, key(1)));
    }

    private static void refused(String text, java.util.concurrent.Callable<IgniteClient> connect) {
        Exception e = assertThrows(Exception.class, () -> connect.call().close());
        assertTrue(texts(e).contains(text), () -> "should tell of " + text + ": " + texts(e));
    }
}
