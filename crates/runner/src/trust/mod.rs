//! Whether a batch can be trusted: simulated batches with labels teach it ([`episodes`]), a file keeps what was learnt
//! ([`file`]), a batch of a person's own is
//! judged by it ([`own`]), and shown on a page ([`page`]).

pub mod episodes;
pub mod file;
pub mod own;
pub mod page;
pub mod source;
pub mod words;
