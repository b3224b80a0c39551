//! The `front-door` binary: everything is in the library, so that tests run exactly what is shipped.

fn main() -> std::process::ExitCode {
    front_door::cli::main()
}
