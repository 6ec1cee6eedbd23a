//! The program `zsad`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Each worker computes on its own rayon pool; candle's global pool, which spins and is shared by all, stays empty.
    // SAFETY: the first statement of the program: no other thread exists that could read the environment meanwhile.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    zsad_runner::cli::main()
}
