//! Layers over tasks × batch: linear, 3×3 convolution, 2×2 max-pool and the norm that takes its statistics per task.

mod conv;
mod linear;
mod norm;
mod pass;
mod pool;

pub use conv::Conv2d;
pub use linear::{Linear, LinearInit};
pub use norm::{Norm, NormConfig, NormMode};
pub use pass::Pass;
pub use pool::{max_pool2, mean_over_space};
