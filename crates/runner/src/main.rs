//! The program `zsad`.

use std::process::ExitCode;

fn main() -> ExitCode {
    zsad_runner::cli::main()
}
