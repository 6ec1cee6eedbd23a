//! Running jobs: fits with their cells, wherever they run, and what is heard of them meanwhile.

pub mod fit;
pub mod local;
pub mod slurm;
pub mod training;

use zsad_core::job::FitJob;
use zsad_core::{Error, Result};
use zsad_store::CellRecord;

/// What happens while jobs run.
pub enum Event<'a> {
    /// A fit begins.
    Started(&'a FitJob),
    /// A fit is at step `done` of `total`.
    Tick {
        /// Which.
        job: &'a FitJob,
        /// Steps done.
        done: u64,
        /// Steps in all.
        total: u64,
        /// Such as the current loss.
        message: &'a str,
    },
    /// A cell is finished and recorded.
    Cell {
        /// Of which fit.
        job: &'a FitJob,
        /// Its record.
        record: &'a CellRecord,
        /// Why it has no scores, if it has none.
        failure: Option<&'a Error>,
    },
    /// All cells of a fit are finished.
    Finished {
        /// Which.
        job: &'a FitJob,
        /// Seconds of its training, where it was trained, now or before.
        trained: Option<f64>,
    },
    /// Another run has finished the cells of a fit.
    FinishedElsewhere(&'a FitJob),
    /// Something that a person should know.
    Note(String),
}

/// Who hears of them.
pub type Listener<'a> = dyn Fn(Event) + Sync + 'a;

/// Runs jobs to their end.
pub trait Executor {
    /// Runs every cell of `jobs`, unless another run has it; what goes wrong in a cell is recorded.
    ///
    /// # Errors
    /// Where a record cannot be stored; [`Error::Stopped`] where the run was asked to end before all was done.
    fn run(&self, jobs: &[FitJob], on: &Listener) -> Result<()>;
}

#[cfg(test)]
mod tests;
