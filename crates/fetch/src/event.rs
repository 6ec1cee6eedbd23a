//! What whoever waits for a file may hear.

/// Something happened to a file; `path` is relative to the data folder.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// Bytes begin to come.
    Begun {
        /// The file.
        path: &'a str,
        /// Bytes there before.
        at: u64,
        /// Bytes in the end, where that is known.
        of: Option<u64>,
    },
    /// Bytes are there.
    At {
        /// The file.
        path: &'a str,
        /// How many.
        bytes: u64,
    },
    /// No more come, well or not.
    Ended {
        /// The file.
        path: &'a str,
    },
    /// A line for a person.
    Said(&'a str),
}

/// Who hears of it, on any thread.
pub type Observer<'a> = &'a (dyn Fn(Event) + Sync);
