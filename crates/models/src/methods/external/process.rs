//! A running program with a time limit.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use zsad_core::{Error, Result};

/// Bytes of standard error that a message repeats, from its end.
const KEPT: u64 = 2_000;

/// A program in its own process group; dropping it kills the group.
pub(super) struct Process {
    name: String,
    child: Child,
    standard_error: PathBuf,
}

impl Process {
    /// Starts `command`; `folder` takes its standard error.
    ///
    /// # Errors
    /// [`Error::Failed`] where it cannot be started.
    pub fn start(command: &[String], folder: &Path) -> Result<Self> {
        let name = command[0].clone();
        // A file and not a pipe: what the program leaves running cannot hold it open against us.
        let path = folder.join("standard_error");
        let standard_error = File::create(&path).map_err(|e| Error::io(&path, &e))?;
        let child = Command::new(&name)
            .args(&command[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(standard_error)
            .process_group(0)
            .spawn()
            .map_err(|e| Error::failed(format!("`{name}` cannot be started: {e}")))?;
        Ok(Process { name, child, standard_error: path })
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What `ready` gives, asked again and again; `None` where the program ended first, successfully.
    ///
    /// # Errors
    /// [`Error::Failed`] where the program fails, or takes longer than `timeout`; then its group is killed.
    pub fn until<T>(&mut self, timeout: Duration, mut ready: impl FnMut() -> Option<T>) -> Result<Option<T>> {
        let deadline = Instant::now() + timeout;
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(value) = ready() {
                return Ok(Some(value));
            }
            match self.child.try_wait() {
                Ok(None) => {}
                // It may have become ready with its last act.
                Ok(Some(status)) if status.success() => return Ok(ready()),
                Ok(Some(status)) => return Err(self.error(&format!("failed with {status}"))),
                Err(e) => return Err(self.error(&e.to_string())),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.kill();
                return Err(self.error(&format!("was killed after {} s", timeout.as_secs_f64())));
            }
            thread::sleep(pause.min(left));
            pause = (2 * pause).min(Duration::from_millis(50));
        }
    }

    /// What went wrong, with the end of the program's standard error.
    pub fn error(&self, what: &str) -> Error {
        let said = tail(&self.standard_error).unwrap_or_default();
        let said = if said.is_empty() { said } else { format!("; standard error: {said}") };
        Error::failed(format!("`{}`: {what}{said}", self.name))
    }

    /// Kills the program and all of its group, unless it has ended.
    fn kill(&mut self) {
        if self.is_running() {
            // SAFETY: kill takes no pointer. The group is the child's own (process_group(0)), and its number cannot
            // have passed to another group, since the child has not been waited for.
            unsafe { libc::kill(-(self.child.id() as libc::pid_t), libc::SIGKILL) };
            // Nothing is left to do where waiting fails.
            self.child.wait().ok();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(KEPT)))?;
    let mut bytes = Vec::new();
    file.take(KEPT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}
