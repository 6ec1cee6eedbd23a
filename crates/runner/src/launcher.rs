//! From the program without CUDA to the one with it.
//!
//! candle links to CUDA's libraries, so that a program with its `cuda` feature does not start where the driver is missing, not
//! even for `--help`. Hence two programs: `zsad` starts everywhere, and `zsad-cuda`, the same with the feature, lies beside it
//! where there are GPUs. The first becomes the second when `--device` names a GPU.
//!
//! The other way is to link to stubs that load each library at the first call. They would have to be made for whatever version
//! of CUDA's bindings candle uses, assembled, and linked in place of libraries that may well be there; and what is missing
//! would come to light in the middle of a run. Here the system's own loader says what is missing before anything is done.

use std::path::{Path, PathBuf};
use std::process::Command;

use zsad_core::{Device, Error, Result};

/// The program with CUDA.
const PROGRAM: &str = "zsad-cuda";

/// Becomes the program with CUDA, with the same arguments, where this one has none and `device` is a GPU; else does nothing.
///
/// # Errors
/// [`Error::Config`] where there is no such program, or it does not start here.
pub fn hand_over(device: Device) -> Result<()> {
    if cfg!(feature = "cuda") || !matches!(device, Device::Cuda(_)) {
        return Ok(());
    }
    let refuse = |what: String| Error::Config(format!("device {device}: {what}; or use `--device cpu`"));
    let program = beside(std::env::current_exe().ok()).map_err(refuse)?;
    starts(&program).map_err(refuse)?;
    Err(refuse(format!("cannot start {}: {}", program.display(), replace(&program))))
}

/// The program with CUDA beside the file of this one.
fn beside(this: Option<PathBuf>) -> Result<PathBuf, String> {
    let program = this.map(|this| this.with_file_name(PROGRAM));
    program.clone().filter(|p| p.is_file()).ok_or_else(|| {
        let wanted = program.map_or_else(|| PROGRAM.to_owned(), |p| p.display().to_string());
        format!(
            "this program was built without CUDA, and {wanted} is not there: build it with \
             `cargo build --workspace --release --bin {PROGRAM} --features zsad-runner/cuda`"
        )
    })
}

/// Whether `program` starts, and is of this version.
fn starts(program: &Path) -> Result<(), String> {
    let shown = program.display();
    let output = Command::new(program).arg("--version").output().map_err(|e| format!("cannot start {shown}: {e}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().rsplit('\n').next().unwrap_or_default();
        let hint = match said.contains("libcuda.so") {
            true => "the NVIDIA driver is not installed on this machine",
            false => "put CUDA's libraries, which a PyTorch with CUDA has, too, on LD_LIBRARY_PATH",
        };
        return Err(format!("{shown} does not start here: {said}; {hint}"));
    }
    let theirs = String::from_utf8_lossy(&output.stdout);
    let theirs = theirs.trim().rsplit(' ').next().unwrap_or_default();
    let ours = env!("CARGO_PKG_VERSION");
    if theirs != ours {
        return Err(format!("{shown} is version {theirs}, and this program {ours}: build it again"));
    }
    Ok(())
}

/// Makes this process one of `program`; returns only what went wrong.
#[cfg(unix)]
fn replace(program: &Path) -> std::io::Error {
    std::os::unix::process::CommandExt::exec(Command::new(program).args(std::env::args_os().skip(1)))
}

#[cfg(not(unix))]
fn replace(_: &Path) -> std::io::Error {
    std::io::Error::other("a process can be replaced on Unix alone: call it itself")
}
