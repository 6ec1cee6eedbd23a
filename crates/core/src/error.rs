//! The one error type that crosses crate borders. Its variants are what the program treats differently.

use std::path::{Path, PathBuf};

/// Result with the workspace's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, by what the program does about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A data file or a weights file is missing or damaged (exit code 3 where nothing could run).
    #[error("{}: {message}{}", path.display(), hint_text(hint))]
    Data {
        /// The file, or the folder that was searched.
        path: PathBuf,
        /// What is wrong and where in the file.
        message: String,
        /// What the reader can do about it; may be empty.
        hint: String,
    },
    /// The method or protocol cannot be applied here, by design: batch too small, no masks, too few samples.
    /// Recorded with the status `refused`; not a failure.
    #[error("{0}")]
    Refused(String),
    /// The configuration or an argument is wrong (exit code 2).
    #[error("{0}")]
    Config(String),
    /// The computation failed: a non-finite loss, an external program that crashed.
    #[error("{0}")]
    Failed(String),
    /// The run was asked to end. Nothing is recorded: the work is still to be done.
    #[error("stopped before its end")]
    Stopped,
}

fn hint_text(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!("; hint: {hint}") }
}

impl Error {
    /// A missing or damaged file; see [`Error::Data`].
    pub fn data(path: impl AsRef<Path>, message: impl ToString, hint: impl ToString) -> Self {
        Error::Data { path: path.as_ref().to_owned(), message: message.to_string(), hint: hint.to_string() }
    }

    /// An input/output error on `path`.
    pub fn io(path: impl AsRef<Path>, source: &std::io::Error) -> Self {
        Error::data(path, source, "")
    }

    /// A computation that failed; see [`Error::Failed`].
    pub fn failed(message: impl ToString) -> Self {
        Error::Failed(message.to_string())
    }

    /// A refusal by design; see [`Error::Refused`].
    pub fn refused(message: impl ToString) -> Self {
        Error::Refused(message.to_string())
    }

    /// The same error, of the same kind, with its place in front. A file's name is place enough.
    pub fn at(self, location: impl std::fmt::Display) -> Self {
        match self {
            Error::Refused(m) => Error::Refused(format!("{location}: {m}")),
            Error::Failed(m) => Error::Failed(format!("{location}: {m}")),
            Error::Config(m) => Error::Config(format!("{location}: {m}")),
            placed @ (Error::Data { .. } | Error::Stopped) => placed,
        }
    }
}
