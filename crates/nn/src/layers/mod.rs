//! Layers over tasks × batch: linear, 3×3 convolution, 2×2 max-pool and the norm that takes its statistics per task.

mod conv;
mod linear;
mod norm;
mod pool;

pub use conv::Conv2d;
pub use linear::{Linear, LinearInit};
pub use norm::{Norm, NormConfig, NormMode};
pub use pool::{max_pool2, mean_over_space};

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
