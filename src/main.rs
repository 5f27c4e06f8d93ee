//! The `flint` program: flags, then one library call.
fn main() -> std::process::ExitCode {
    flint::cli::main()
}
