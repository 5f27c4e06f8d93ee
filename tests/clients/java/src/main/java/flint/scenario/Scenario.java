package flint.scenario;

/** A fixed sequence of operations, written once and run against any server. */
@FunctionalInterface
public interface Scenario {
    /** Runs the steps; an exception out of here means that the scenario could not be set up. */
    void run(Script script) throws Exception;
}
