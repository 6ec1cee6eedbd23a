//! How the program ends.

use std::io;
use std::process::ExitCode;

use zsad_core::Error;

use crate::config::ConfigError;

/// The documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All well.
    Success = 0,
    /// Some cells failed, or a check did.
    SomeFailed = 1,
    /// Wrong usage or configuration; nothing was run.
    Usage = 2,
    /// Data or weights missing or damaged.
    Data = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// Which code an error means; `None` where the reader of our output has gone away, which is no error.
    pub fn of(error: &anyhow::Error) -> Option<Exit> {
        for cause in error.chain() {
            if cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
                return None;
            }
            if cause.is::<ConfigError>() {
                return Some(Exit::Usage);
            }
            match cause.downcast_ref::<Error>() {
                Some(Error::Config(_)) => return Some(Exit::Usage),
                Some(Error::Data { .. }) => return Some(Exit::Data),
                Some(Error::Refused(_) | Error::Failed(_) | Error::Stopped) => return Some(Exit::SomeFailed),
                None => {}
            }
        }
        Some(Exit::SomeFailed)
    }
}
