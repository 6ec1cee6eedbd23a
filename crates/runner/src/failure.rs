//! Why a cell has no scores: an error that several cells can share, or a panic.

use zsad_core::panics::caught;
use zsad_core::{Error, Result};
use zsad_store::Status;

/// A failure or a refusal.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// How the cells end.
    pub status: Status,
    /// Why.
    pub message: String,
    /// Whether data or weights are missing or damaged.
    pub data: bool,
}

impl Failure {
    /// The same as an error.
    pub fn into_error(self) -> Error {
        match (self.status, self.data) {
            (Status::Refused, _) => Error::Refused(self.message),
            (_, true) => match self.message.split_once(": ") {
                Some((path, message)) => Error::data(path, message, ""),
                None => Error::data(&self.message, "cannot be used", ""),
            },
            _ => Error::Failed(self.message),
        }
    }
}

impl From<&Error> for Failure {
    fn from(e: &Error) -> Self {
        let status = if matches!(e, Error::Refused(_)) { Status::Refused } else { Status::Failed };
        Failure { status, message: e.to_string(), data: matches!(e, Error::Data { .. }) }
    }
}

/// Runs `work`; a panic is a failure like any other.
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T, Failure> {
    // What a panic leaves half done is dropped with the cell.
    match caught(work) {
        Ok(result) => result.map_err(|e| Failure::from(&e)),
        Err(panic) => Err(Failure { status: Status::Failed, message: format!("panicked: {panic}"), data: false }),
    }
}
