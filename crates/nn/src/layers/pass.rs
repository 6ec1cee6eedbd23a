//! How a batch passes.

#[cfg(doc)]
use super::norm::NormMode;

/// How a stacked batch `[tasks · batch, …]` passes through a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// The number of tasks stacked: the norm takes its batch statistics over each one alone.
    pub tasks: usize,
    /// Whether this is training. Matters to [`NormMode::Running`] alone, which else uses its running statistics.
    pub training: bool,
}

impl Pass {
    /// Training over so many tasks.
    pub fn train(tasks: usize) -> Self {
        Pass { tasks, training: true }
    }

    /// Scoring of so many test batches at once (1: a single one).
    pub fn eval(tasks: usize) -> Self {
        Pass { tasks, training: false }
    }
}
