//! One stage of a network, and which of its parameters is which.

use super::Real;
use super::conv::Conv;
use super::norm::Tail;

/// The linear part of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Map {
    /// A linear layer; what it sees of the stage before.
    Linear {
        /// Input features.
        input: usize,
        /// Output features.
        output: usize,
        /// What becomes of pixels.
        source: Source,
    },
    /// A 3×3 convolution.
    Conv(Conv),
    /// None: the network's input is a product already, of so many features. For a first stage alone; it has no weight.
    Given(usize),
}

/// What a linear layer sees of the stage before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Rows as they are.
    Rows,
    /// The mean over so many pixels.
    Mean(usize),
    /// All of so many pixels, channels first.
    Flatten(usize),
}

/// What a stage's norm takes its statistics over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistics {
    /// There is no norm.
    None,
    /// Each channel over the rows of a group.
    Batch,
    /// Each channel over all rows, which are one group: a large one, that is shared out among threads.
    Pooled,
    /// Each sample alone, over its pixels and so many neighbouring channels.
    Sample(usize),
    /// Nothing: mean and 1/σ of each channel are the stage's last parameters.
    Given,
}

/// One stage: linear map, bias, norm, gain and offset, ReLU, 2×2 max-pool; all but the first optional.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// The linear map, whose weight is the stage's first parameter.
    pub map: Map,
    /// Whether a bias is the next parameter. Before a norm over the batch it has no effect and no gradient.
    pub bias: bool,
    /// What normalises.
    pub norm: Statistics,
    /// Whether gain and offset are the next parameters.
    pub affine: bool,
    /// Whether ReLU follows.
    pub relu: bool,
    /// Whether a 2×2 max-pool follows.
    pub pool: bool,
}

impl Stage {
    /// Channels of its output.
    pub fn channels(&self) -> usize {
        match self.map {
            Map::Linear { output, .. } => output,
            Map::Conv(conv) => conv.o,
            Map::Given(features) => features,
        }
    }

    /// Features that a linear layer reads.
    pub fn input(&self) -> Option<usize> {
        if let Map::Linear { input, .. } = self.map { Some(input) } else { None }
    }

    /// Pixels of a sample that the map computes, and their height and width.
    pub fn size(&self) -> [usize; 2] {
        match self.map {
            Map::Linear { .. } | Map::Given(_) => [1, 1],
            Map::Conv(conv) => [conv.oh(), conv.ow()],
        }
    }

    /// Pixels of a sample that the map computes.
    pub fn pixels(&self) -> usize {
        self.size().iter().product()
    }

    /// Pixels of a sample after the pool.
    pub fn pixels_out(&self) -> usize {
        let [h, w] = self.size();
        if self.pool { (h / 2) * (w / 2) } else { h * w }
    }

    /// Whether its first parameter is a weight.
    fn weighs(&self) -> bool {
        !matches!(self.map, Map::Given(_))
    }

    /// The number of parameters.
    pub fn parameters(&self) -> usize {
        let pairs = usize::from(self.affine) + usize::from(self.norm == Statistics::Given);
        usize::from(self.weighs()) + usize::from(self.bias) + 2 * pairs
    }

    /// Whether each channel loses its mean, and with it a bias.
    pub fn centres(&self) -> bool {
        matches!(self.norm, Statistics::Batch | Statistics::Pooled)
    }

    /// In how many parts, each with statistics of its own, `samples` samples in `groups` groups fall.
    pub fn units(&self, samples: usize, groups: usize) -> usize {
        if let Statistics::Sample(_) = self.norm { samples } else { groups }
    }

    /// How many values mean and 1/σ of so many units are.
    pub fn statistics(&self, units: usize) -> usize {
        if matches!(self.norm, Statistics::None | Statistics::Given) { 0 } else { units * self.channels() }
    }

    /// Whether anything happens between map and output.
    pub fn bare(&self) -> bool {
        !self.relu && self.in_place()
    }

    /// Whether nothing but, perhaps, ReLU follows the map: then it happens in place, and the output says where the gradient
    /// passes.
    pub fn in_place(&self) -> bool {
        self.norm == Statistics::None && !self.affine && !self.pool
    }

    /// Its parameters, or gradients, by role.
    pub fn split<T>(&self, all: impl IntoIterator<Item = T>) -> Split<T> {
        let mut all = all.into_iter();
        let weight = if self.weighs() { all.next() } else { None };
        let bias = if self.bias { all.next() } else { None };
        let affine = if self.affine { all.next().zip(all.next()) } else { None };
        let given = if self.norm == Statistics::Given { all.next().zip(all.next()) } else { None };
        Split { weight, bias, affine, given }
    }

    /// What follows the map in unit `unit`, with its `moments` where it is normalised and `plain` for what it lacks.
    pub fn tail<'a, F: Real>(
        &self,
        unit: usize,
        p: &Split<&'a [F]>,
        moments: (&'a [F], &'a [F]),
        plain: &'a [F],
    ) -> Tail<'a, F> {
        let c = self.channels();
        let (ones, zeros) = plain.split_at(c);
        let own = unit * c..(unit + 1) * c;
        let (shared, moments) = match self.norm {
            Statistics::None | Statistics::Given => (0, p.given.unwrap_or((zeros, ones))),
            Statistics::Batch | Statistics::Pooled => (1, (&moments.0[own.clone()], &moments.1[own])),
            Statistics::Sample(channels) => (channels, (&moments.0[own.clone()], &moments.1[own])),
        };
        let pool = self.pool.then(|| self.size());
        Tail { shared, moments, affine: p.affine.unwrap_or((ones, zeros)), relu: self.relu, pool }
    }

    /// Ones, then zeros: the gain, 1/σ, offset and mean of a stage that has none.
    pub fn plain<F: Real>(&self) -> Vec<F> {
        let c = self.channels();
        (0..2 * c).map(|i| F::of(if i < c { 1.0 } else { 0.0 })).collect()
    }
}

/// A stage's parameters, or their gradients, by role.
pub struct Split<T> {
    /// Of the map.
    pub weight: Option<T>,
    /// Of the map.
    pub bias: Option<T>,
    /// Gain and offset.
    pub affine: Option<(T, T)>,
    /// Mean and 1/σ.
    pub given: Option<(T, T)>,
}

/// Adds the gradients of gain and offset, `[2 c]`.
pub fn add_affine<F: Real>(to: Option<(&mut [F], &mut [F])>, sums: &[f64]) {
    if let Some((gain, offset)) = to {
        for (to, &v) in gain.iter_mut().chain(offset).zip(sums) {
            *to = *to + F::of(v);
        }
    }
}
