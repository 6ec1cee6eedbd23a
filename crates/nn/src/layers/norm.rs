//! Normalisation. The one that zero-shot detection rests on takes its statistics from the batch at hand, per task.

use candle_core::{Tensor, Var};
use zsad_core::{Implementation, Operator};

use super::pass::Pass;
use crate::error::bail_shape;
use crate::ops::{self, Epilogue, Normaliser, Plan, scope};
use crate::{Init, Result, params::Builder};

/// Added to the variance.
pub const EPS: f64 = 1e-5;
/// Channels of a group in [`NormMode::Group`], of which the paper takes as many.
pub const GROUP: usize = 16;

/// What the statistics are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormMode {
    /// Per channel over one task's batch (and space), in training and at test time alike.
    BatchStats,
    /// Ordinary batch norm: the batch in training (one task at a time), running statistics else.
    Running,
    /// Per sample over channels and space.
    Layer,
    /// Per sample and channel over space.
    Instance,
    /// Per sample over groups of [`GROUP`] neighbouring channels and space (Wu, He: Group Normalization, ECCV 2018); of fewer
    /// where their number is no multiple of that.
    Group,
    /// No normalisation; affine as configured.
    None,
}

/// A norm to build.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormConfig {
    /// What the statistics are taken over.
    pub mode: NormMode,
    /// Whether a trained gain and offset per channel follow.
    pub affine: bool,
    /// The gain's initial value; the offset starts at 0.
    pub gain: Init,
}

impl NormConfig {
    /// Statistics over `mode`, affine, gain 1.
    pub fn new(mode: NormMode) -> Self {
        NormConfig { mode, affine: mode != NormMode::None, gain: Init::ONES }
    }

    /// The same with a gain ~ U(0, 1), as the official ACR code starts its batch norms.
    pub fn random_gain(self) -> Self {
        NormConfig { gain: Init::Uniform(0.0, 1.0), ..self }
    }
}

/// (x − mean) / √(var + 1e-5) · weight + bias with the biased variance, per channel, optionally followed by ReLU.
#[derive(Debug, Clone)]
pub struct Norm {
    /// What the statistics are taken over.
    pub mode: NormMode,
    /// Gain and offset, `[c]` each: `weight` and `bias`.
    pub affine: Option<(Var, Var)>,
    /// `running_mean` and `running_var`, `[c]` each, for [`NormMode::Running`].
    pub running: Option<(Var, Var)>,
    /// How it is computed.
    pub by: Implementation,
}

impl Norm {
    /// Registers `weight` and `bias`, and `running_mean` and `running_var` where they are kept.
    ///
    /// # Errors
    /// Where a name is taken.
    pub fn new(b: &mut Builder, channels: usize, config: NormConfig) -> Result<Self> {
        let shape = [channels];
        let affine = match config.affine {
            true => Some((b.add("weight", &shape, config.gain)?, b.add("bias", &shape, Init::ZEROS)?)),
            false => None,
        };
        let running = match config.mode {
            NormMode::Running => {
                Some((b.buffer("running_mean", &shape, Init::ZEROS)?, b.buffer("running_var", &shape, Init::ONES)?))
            }
            _ => None,
        };
        Ok(Norm { mode: config.mode, affine, running, by: b.operator(Operator::Norm) })
    }

    /// `[tasks · batch, c]` or `[tasks · batch, c, h, w]` → the same shape, then ReLU where `relu`.
    ///
    /// # Errors
    /// Where the shape does not fit the tasks or the mode, or `Running` is trained over more than one task.
    pub fn forward(&self, x: &Tensor, pass: Pass, relu: bool) -> Result<Tensor> {
        if self.mode == NormMode::BatchStats && x.rank() == 2 && x.elem_count() > 0 {
            let mut plan = Plan::new(x);
            plan.given(x.dims()[1], epilogue(Some((self, pass)), relu))?;
            if plan.fits() {
                return plan.run(x, pass.tasks, x.dims());
            }
        }
        if let (Some(running), Some(affine)) = (&self.running, &self.affine)
            && pass == Pass::train(1)
            && x.rank() == 2
            && x.dims()[0] > 1
            && self.by == Implementation::Fused
        {
            return train_rows(x, affine, running, relu);
        }
        self.forward_reference(x, pass, relu)
    }

    /// The same from candle's own operations.
    ///
    /// # Errors
    /// As [`Norm::forward`].
    pub fn forward_reference(&self, x: &Tensor, pass: Pass, relu: bool) -> Result<Tensor> {
        let dims = x.dims();
        if !matches!(dims.len(), 2 | 4) || pass.tasks == 0 || !dims[0].is_multiple_of(pass.tasks) {
            bail_shape!("a norm over {} tasks wants [tasks * batch, c(, h, w)], not {dims:?}", pass.tasks);
        }
        let (rows, c) = (dims[0], dims[1]);
        let x4 = x.reshape((pass.tasks, rows / pass.tasks, c, dims[2..].iter().product::<usize>()))?;
        let y = self.normalise(&x4, pass)?.reshape(dims)?;
        // Centred, squared, normalised, scaled and shifted.
        (0..5).for_each(|_| scope::record_saved_tensor(&y));
        Ok(if relu { y.relu()? } else { y })
    }

    /// The normalisation of `[tasks, batch, c, space]`, with gain and offset.
    fn normalise(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        let (tasks, n, c, space) = x.dims4()?;
        let y = match (self.mode, &self.running) {
            (NormMode::BatchStats, _) => return self.by_channel(x),
            (NormMode::Running, Some(running)) if pass.training => {
                if pass.tasks != 1 || n * space < 2 {
                    bail_shape!("running batch norm trains on one batch of at least two values a channel at a time");
                }
                update_running(running, &x.detach(), n * space)?;
                return self.by_channel(x);
            }
            (NormMode::Running, Some((mean, var))) => {
                let std = (scope::value(var) + EPS)?.sqrt()?.reshape((1, 1, c, 1))?;
                x.broadcast_sub(&scope::value(mean).reshape((1, 1, c, 1))?)?.broadcast_div(&std)?
            }
            (NormMode::Running, None) => bail_shape!("running batch norm without running statistics"),
            (NormMode::None, _) => x.clone(),
            (NormMode::Layer, _) => standardise(x, &[2, 3])?,
            (NormMode::Instance, _) if space < 2 => {
                bail_shape!("instance norm needs at least two pixels a channel, not {space}")
            }
            (NormMode::Instance, _) => standardise(x, &[3])?,
            (NormMode::Group, _) => {
                let group = (1..=GROUP).rev().find(|&g| c.is_multiple_of(g)).unwrap_or(1);
                if group * space < 2 {
                    bail_shape!("group norm needs at least two values a group, not {space} of one channel");
                }
                let groups = x.reshape((tasks * n, c / group, group * space))?;
                standardise(&groups, &[2])?.reshape((tasks, n, c, space))?
            }
        };
        let Some((gain, offset)) = &self.affine else { return Ok(y) };
        let shaped = |v: &Var| scope::value(v).reshape((1, 1, c, 1));
        Ok(y.broadcast_mul(&shaped(gain)?)?.broadcast_add(&shaped(offset)?)?)
    }

    /// `[tasks, batch, c, space]` by each task's own statistics of a channel, with gain and offset. Channels come first
    /// meanwhile, so that all sums, on the way back too, run over values that lie side by side: else candle takes several
    /// times as long.
    fn by_channel(&self, x: &Tensor) -> Result<Tensor> {
        let (tasks, n, c, space) = x.dims4()?;
        let mut y = standardise(&x.permute((0, 2, 1, 3))?.contiguous()?.reshape((tasks, c, n * space))?, &[2])?;
        if let Some((gain, offset)) = &self.affine {
            let shaped = |v: &Var| scope::value(v).reshape((1, c, 1))?.broadcast_as((tasks, c, 1))?.contiguous();
            y = y.broadcast_mul(&shaped(gain)?)?.broadcast_add(&shaped(offset)?)?;
        }
        Ok(y.reshape((tasks, c, n, space))?.permute((0, 2, 1, 3))?.contiguous()?)
    }
}

/// A norm, if there is one, and ReLU, as the kernels know them.
pub(super) fn epilogue(norm: Option<(&Norm, Pass)>, relu: bool) -> Epilogue<'_> {
    let Some((Norm { mode, affine, running, by }, pass)) = norm else { return Epilogue { relu, ..Epilogue::NONE } };
    let norm = match (mode, running) {
        (NormMode::None, _) => Some(Normaliser::None),
        (NormMode::BatchStats, _) => Some(Normaliser::Batch),
        (NormMode::Running, Some((mean, var))) if !pass.training => Some(Normaliser::Running(mean, var)),
        (NormMode::Running, Some((mean, var))) if pass.tasks == 1 => Some(Normaliser::Training(mean, var)),
        (NormMode::Running, _) => None,
        (NormMode::Layer, _) => Some(Normaliser::Sample),
        (NormMode::Instance, _) => Some(Normaliser::Channels(1)),
        (NormMode::Group, _) => Some(Normaliser::Channels(GROUP)),
    };
    Epilogue {
        fits: norm.is_some() && *by == Implementation::Fused,
        norm: norm.unwrap_or(Normaliser::None),
        affine: affine.as_ref().map(|(gain, offset)| (gain, offset)),
        relu,
        pool: false,
    }
}

fn standardise(x: &Tensor, over: &[usize]) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(over)?)?;
    let var = centred.sqr()?.mean_keepdim(over)?;
    Ok(centred.broadcast_div(&(var + EPS)?.sqrt()?)?)
}

/// Ordinary batch norm of rows `[n, c]` in training, by the kernel.
fn train_rows(x: &Tensor, (gain, offset): &(Var, Var), running: &(Var, Var), relu: bool) -> Result<Tensor> {
    let (n, c) = x.dims2()?;
    let normed = ops::batch_norm(x, gain.as_tensor(), offset.as_tensor(), relu)?;
    let tensor = |v: Vec<f64>| Tensor::from_vec(v, c, x.device())?.to_dtype(x.dtype());
    let unbiased = normed.var.into_iter().map(|v| v * n as f64 / (n - 1) as f64).collect();
    ops::mix((&running.0, &running.1), tensor(normed.mean)?, tensor(unbiased)?)?;
    Ok(normed.y)
}

fn update_running(running: &(Var, Var), x: &Tensor, n: usize) -> Result<()> {
    let batch_mean = x.mean_keepdim([1, 3].as_slice())?;
    let batch_var = x.broadcast_sub(&batch_mean)?.sqr()?.sum([0, 1, 3].as_slice())?;
    ops::mix((&running.0, &running.1), batch_mean.flatten_all()?, (batch_var / (n - 1) as f64)?)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use zsad_core::rng::stream;

    use super::*;
    use crate::ParamStore;

    /// ```python
    /// x = (torch.arange(2 * 24 * 2, dtype=torch.float64) * 0.7).sin().view(2, 24, 1, 2); y = F.group_norm(x, 2)
    /// print(y[0, 0, 0, 0], y[0, 11, 0, 1], y[0, 12, 0, 0], y[1, 23, 0, 1])
    /// ```
    #[test]
    fn group_norm_is_that_of_torch() {
        let x: Vec<f64> = (0..96).map(|i| (f64::from(i) * 0.7).sin()).collect();
        let x = Tensor::from_vec(x, (2, 24, 1, 2), &Device::Cpu).unwrap();
        // 24 channels are two groups of 12.
        let norm = Norm { mode: NormMode::Group, affine: None, running: None, by: Implementation::Composed };
        let y = norm.forward(&x, Pass::eval(1), false).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let found = [y[0], y[23], y[24], y[95]];
        assert!(
            found
                .iter()
                .zip([-0.14967418164805893, -0.7111131259246679, -1.1867778071665305, -0.8784761881296961])
                .all(|(a, b)| (a - b).abs() < 1e-9),
            "{found:?}"
        );
    }

    #[test]
    fn trained_running_statistics_by_kernel_are_the_composed_ones() {
        let wave = |k: f64| (0..35).map(|i| (f64::from(i) * 0.7 + k).sin() + f64::from(i % 5)).collect::<Vec<f64>>();
        // Rows go through the kernel, images of one pixel do not.
        let [rows, images] = [&[7usize, 5][..], &[7, 5, 1, 1]].map(|shape| {
            let mut store = ParamStore::new(&Device::Cpu, DType::F64);
            let mut rng = stream(2, &[]);
            let config = NormConfig::new(NormMode::Running).random_gain();
            let norm = Norm::new(&mut store.builder(&mut rng), 5, config).unwrap();
            let x = Var::from_vec(wave(0.1), shape, &Device::Cpu).unwrap();
            let y = norm.forward(&x, Pass::train(1), true).unwrap();
            let weight = Tensor::from_vec(wave(0.9), shape, &Device::Cpu).unwrap();
            let gradients = (&y * weight).unwrap().sum_all().unwrap().backward().unwrap();
            let mut found = vec![y, gradients.get(&x).unwrap().clone()];
            found.extend(store.trainable().map(|p| gradients.get(&p.var).unwrap().clone()));
            found.extend(norm.running.iter().flat_map(|(m, v)| [m.as_tensor().clone(), v.as_tensor().clone()]));
            found.into_iter().flat_map(|t| t.flatten_all().unwrap().to_vec1::<f64>().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(rows.len(), 35 + 35 + 5 + 5 + 5 + 5);
        assert!(rows.iter().zip(&images).all(|(a, b)| (a - b).abs() < 1e-10), "{rows:?} {images:?}");
    }
}
