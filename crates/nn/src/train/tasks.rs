//! A step's tasks.

use candle_core::{Device, Tensor};

use crate::Result;
use crate::error::bail_shape;

/// Tasks stacked: inputs `[tasks · batch, shape…]` and which samples are outliers.
#[derive(Debug, Clone)]
pub struct Tasks {
    x: Tensor,
    outliers: Vec<bool>,
    tasks: usize,
}

impl Tasks {
    /// Stacks tasks of equal size from samples of `shape`: each task's values, row-major, and its labels (true: outlier).
    ///
    /// # Errors
    /// Where there is no task, or they differ in size.
    pub fn stack(shape: &[usize], parts: &[(&[f32], &[bool])], device: &Device) -> Result<Self> {
        let dim: usize = shape.iter().product();
        let batch = parts.first().map_or(0, |p| p.1.len());
        if batch == 0 || parts.iter().any(|(x, y)| y.len() != batch || x.len() != batch * dim) {
            let sizes: Vec<_> = parts.iter().map(|(x, y)| (x.len(), y.len())).collect();
            bail_shape!("tasks of samples {shape:?} must be equally large and not empty; (values, labels): {sizes:?}");
        }
        let values = parts.iter().flat_map(|p| p.0).copied().collect::<Vec<f32>>();
        let outliers = parts.iter().flat_map(|p| p.1).copied().collect();
        let x = Tensor::from_vec(values, [&[parts.len() * batch], shape].concat(), device)?;
        Ok(Tasks { x, outliers, tasks: parts.len() })
    }

    /// Tasks from a tensor `[tasks · batch, shape…]` that is already stacked.
    ///
    /// # Errors
    /// Where the sizes do not fit.
    pub fn new(x: Tensor, outliers: Vec<bool>, tasks: usize) -> Result<Self> {
        let n = x.dims().first().copied().unwrap_or(0);
        if tasks == 0 || n == 0 || !n.is_multiple_of(tasks) || outliers.len() != n {
            bail_shape!("{tasks} tasks do not fit inputs {:?} with {} labels", x.dims(), outliers.len());
        }
        Ok(Tasks { x, outliers, tasks })
    }

    /// The inputs, `[tasks · batch, shape…]`.
    pub fn x(&self) -> &Tensor {
        &self.x
    }

    /// Which samples are outliers, `tasks · batch` of them.
    pub fn outliers(&self) -> &[bool] {
        &self.outliers
    }

    /// The number of tasks.
    pub fn tasks(&self) -> usize {
        self.tasks
    }

    /// Samples in a task.
    pub fn batch(&self) -> usize {
        self.outliers.len() / self.tasks
    }

    /// The tasks from `start`, `len` of them, without copying.
    pub(super) fn narrow(&self, start: usize, len: usize) -> Result<Tasks> {
        let (from, n) = (start * self.batch(), len * self.batch());
        Ok(Tasks { x: self.x.narrow(0, from, n)?, outliers: self.outliers[from..from + n].to_vec(), tasks: len })
    }
}
