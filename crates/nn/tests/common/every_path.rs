//! The same tests with every set of vector instructions that the processor has: kernels choose once in a process.

use zsad_core::{Choice, Simd};

#[test]
fn on_every_path() {
    if std::env::var_os("ZSAD_SIMD").is_some() {
        return;
    }
    let program = std::env::current_exe().unwrap();
    for simd in Simd::available().iter().filter(|s| **s != Simd::current()) {
        let output = std::process::Command::new(&program).env("ZSAD_SIMD", simd.word()).output().unwrap();
        assert!(output.status.success(), "{simd}: {}", String::from_utf8_lossy(&output.stdout));
    }
}
