package flint;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A started {@code flint serve}, stopped on close. */
final class FlintServer implements AutoCloseable {
    private static final String READY = "flint ready igni=";
    private static final long STOP_SECONDS_MAX = 10;

    private final Process process;
    private final String address;

    private FlintServer(Process process, String address) {
        this.process = process;
        this.address = address;
    }

    /** Starts one in memory on a free port, with further flags. */
    static FlintServer inMemory(String... flags) throws IOException {
        List<String> all = new ArrayList<>(List.of("--listen", "127.0.0.1:0", "--in-memory"));
        all.addAll(List.of(flags));
        return start(all);
    }

    /** Starts one that keeps its data in {@code dir}, at an address as {@code --listen} takes it. */
    static FlintServer durable(Path dir, String listen) throws IOException {
        return start(List.of("--listen", listen, "--data-dir", dir.toString()));
    }

    private static FlintServer start(List<String> flags) throws IOException {
        String bin = System.getProperty("flint.bin", "");
        if (!new File(bin).canExecute()) {
            throw new IOException("FLINT_BIN or -Dflint.bin must name the flint program, but is '" + bin + "'");
        }
        List<String> command = new ArrayList<>(List.of(bin, "serve"));
        command.addAll(flags);
        File log = new File(System.getProperty("project.build.directory", "target"), "flint.log");
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.appendTo(log)).start();
        var out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        String line = out.readLine();
        if (line == null || !line.startsWith(READY)) {
            process.destroyForcibly();
            throw new IOException("flint did not become ready, it said: " + line + "; see " + log);
        }
        return new FlintServer(process, line.substring(READY.length()).split(" ")[0]);
    }

    /** {@code HOST:PORT} of its listener. */
    String address() {
        return address;
    }

    /** Ends it as {@code kill -9} does. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor(STOP_SECONDS_MAX, TimeUnit.SECONDS);
    }

    /** Asks it to stop and waits; the exit status is its own. */
    int stop() throws IOException, InterruptedException {
        process.destroy();
        if (!process.waitFor(STOP_SECONDS_MAX, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new IOException("flint did not stop within " + STOP_SECONDS_MAX + " s");
        }
        return process.exitValue();
    }

    @Override
    public void close() {
        process.destroyForcibly();
        try {
            process.waitFor(STOP_SECONDS_MAX, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
