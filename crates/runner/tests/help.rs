//! The program starts. (This file also makes `cargo test` build it, for the tests that see it from outside.)

use std::process::Command;

#[test]
fn help_teaches_with_examples_and_exit_codes() {
    let output = Command::new(env!("CARGO_BIN_EXE_zsad")).arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for part in ["zsad run experiments/quickstart.yaml", "Exit codes:", "1  some cells failed", "describe"] {
        assert!(text.contains(part), "{text}");
    }
}
