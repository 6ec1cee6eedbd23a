//! The program `zsad` with CUDA: see `zsad_runner::launcher`.

use std::process::ExitCode;

fn main() -> ExitCode {
    zsad_runner::cli::main()
}
