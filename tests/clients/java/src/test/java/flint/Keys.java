package flint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** An authority and certificates it has signed, made by keytool in a directory. */
final class Keys {
    /** Of every store in the directory. */
    static final String PASSWORD = "changeit";

    private final Path dir;

    Keys(Path dir) throws Exception {
        this.dir = dir;
        keytool("-genkeypair", "-alias", "ca", "-keystore", store("ca"), "-dname", "CN=test authority", "-ext", "bc:c");
        keytool("-exportcert", "-rfc", "-alias", "ca", "-keystore", store("ca"), "-file", pem("ca"));
        keytool("-importcert", "-noprompt", "-alias", "ca", "-keystore", store("trust"), "-file", pem("ca"));
    }

    /** Makes a key with a certificate signed by the authority: a store for Java, {@code NAME.pem} and {@code NAME.key} for others. */
    void issue(String name) throws Exception {
        keytool("-genkeypair", "-alias", name, "-keystore", store(name), "-dname", "CN=" + name);
        keytool("-certreq", "-alias", name, "-keystore", store(name), "-file", file(name + ".csr"));
        keytool("-gencert", "-rfc", "-alias", "ca", "-keystore", store("ca"), "-infile", file(name + ".csr"), "-outfile", pem(name),
                "-ext", "san=ip:127.0.0.1,dns:localhost");
        keytool("-importcert", "-noprompt", "-alias", "ca", "-keystore", store(name), "-file", pem("ca"));
        keytool("-importcert", "-noprompt", "-alias", name, "-keystore", store(name), "-file", pem(name));
        KeyStore keys = KeyStore.getInstance(Path.of(store(name)).toFile(), PASSWORD.toCharArray());
        PrivateKey key = (PrivateKey) keys.getKey(name, PASSWORD.toCharArray());
        Files.writeString(Path.of(file(name + ".key")), encode("PRIVATE KEY", key.getEncoded()));
        StringBuilder chain = new StringBuilder();
        for (Certificate certificate : keys.getCertificateChain(name)) {
            chain.append(encode("CERTIFICATE", certificate.getEncoded()));
        }
        Files.writeString(Path.of(pem(name)), chain);
    }

    /** A Java key store. */
    String store(String name) {
        return file(name + ".p12");
    }

    /** A certificate or chain in PEM form. */
    String pem(String name) {
        return file(name + ".pem");
    }

    /** A private key in PEM form. */
    String key(String name) {
        return file(name + ".key");
    }

    private String file(String name) {
        return dir.resolve(name).toString();
    }

    private static String encode(String kind, byte[] bytes) {
        return "-----BEGIN " + kind + "-----\n" + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(bytes)
                + "\n-----END " + kind + "-----\n";
    }

    private void keytool(String... args) throws Exception {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "keytool").toString()));
        command.addAll(List.of(args));
        command.addAll(List.of("-storepass", PASSWORD, "-storetype", "PKCS12"));
        if (args[0].equals("-genkeypair")) {
            command.addAll(List.of("-keyalg", "RSA", "-keysize", "2048", "-validity", "30"));
        }
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        if (process.waitFor() != 0) {
            throw new IOException("keytool " + args[0] + ": " + output);
        }
    }
}
