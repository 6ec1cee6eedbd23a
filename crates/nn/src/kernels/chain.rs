//! A whole network as a chain of stages, forward and backward, task by task where statistics are taken.
//!
//! Activations are rows of channels (samples, or pixels of channels-last images), each written once, where and how the
//! next stage reads it.

use super::Real;
use super::conv::{Conv, channels_first, channels_last, unfold};
use super::gemm::{Packed, RowMap, cols_product, rows_product};
use super::norm::{Tail, add_column_sums, standardise};
use super::scratch::{self, Buffer};
use super::tile::Run;

/// Channels below which a first convolution unfolds its input.
const FEW_CHANNELS: usize = 8;

/// The linear part of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

/// What a linear layer sees of the stage before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Rows as they are.
    Rows,
    /// The mean over so many pixels.
    Mean(usize),
    /// All of so many pixels, channels first.
    Flatten(usize),
}

/// One stage: linear map, bias, batch-statistics norm, gain and offset, ReLU, 2×2 max-pool; all but the first optional.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// The linear map, whose weight is the stage's first parameter.
    pub map: Map,
    /// Whether a bias is the next parameter. Before a norm it has no effect and no gradient.
    pub bias: bool,
    /// Whether batch statistics normalise.
    pub norm: bool,
    /// Whether gain and offset are the next parameters.
    pub affine: bool,
    /// Whether ReLU follows.
    pub relu: bool,
    /// Whether a 2×2 max-pool follows.
    pub pool: bool,
}

impl Stage {
    fn channels(&self) -> usize {
        match self.map {
            Map::Linear { output, .. } => output,
            Map::Conv(conv) => conv.o,
        }
    }

    /// Pixels of a sample that the map computes, and their height and width.
    fn size(&self) -> [usize; 2] {
        match self.map {
            Map::Linear { .. } => [1, 1],
            Map::Conv(conv) => [conv.oh(), conv.ow()],
        }
    }

    fn pixels(&self) -> usize {
        self.size().iter().product()
    }

    /// Pixels of a sample after the pool.
    fn pixels_out(&self) -> usize {
        let [h, w] = self.size();
        if self.pool { (h / 2) * (w / 2) } else { h * w }
    }

    /// The number of parameters.
    pub fn parameters(&self) -> usize {
        1 + usize::from(self.bias) + 2 * usize::from(self.affine)
    }

    /// Whether anything happens between map and output.
    fn bare(&self) -> bool {
        !(self.norm || self.affine || self.relu || self.pool)
    }

    /// Its parameters, or gradients, by role.
    fn split<T>(&self, all: impl IntoIterator<Item = T>) -> Split<T> {
        let mut all = all.into_iter();
        let weight = all.next();
        let bias = if self.bias { all.next() } else { None };
        let affine = if self.affine { all.next().zip(all.next()) } else { None };
        Split { weight, bias, affine }
    }

    fn tail<'a, F: Real>(&self, p: &Split<&'a [F]>, plain: &'a [F]) -> Tail<'a, F> {
        let affine = p.affine.unwrap_or_else(|| plain.split_at(self.channels()));
        Tail { affine, relu: self.relu, pool: self.pool.then(|| self.size()) }
    }

    /// The gain and offset of a stage that has none: ones, then zeros.
    fn plain<F: Real>(&self) -> Vec<F> {
        let c = self.channels();
        (0..2 * c).map(|i| F::of(if i < c { 1.0 } else { 0.0 })).collect()
    }
}

struct Split<T> {
    weight: Option<T>,
    bias: Option<T>,
    affine: Option<(T, T)>,
}

/// What a stage keeps for the way back.
struct Kept<F: Real> {
    /// The left-hand side of its product; none where it is the chain's input itself.
    input: Option<Buffer<F>>,
    /// Its normalised rows; none for a bare stage.
    hat: Option<Buffer<F>>,
    /// 1/σ by task and channel.
    istd: Buffer<F>,
    /// Which pixel the pool chose.
    choice: Vec<u8>,
}

/// A chain of stages over samples in groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The stages.
    pub stages: Vec<Stage>,
    /// Whether the input's gradient is wanted.
    pub input_gradient: bool,
}

/// What [`Chain::forward`] keeps for [`Chain::backward`].
pub struct Tape<F: Real> {
    kept: Vec<Kept<F>>,
    samples: usize,
    groups: usize,
}

impl Chain {
    /// The output of `samples` samples in `groups` equal groups, `[samples, …]` with channels first, and the tape.
    pub fn forward<F: Real>(&self, x: &[F], samples: usize, groups: usize, params: &[&[F]]) -> (Vec<F>, Tape<F>) {
        let mut kept = Vec::new();
        let mut params = params;
        let mut output = self.first_input(x, samples);
        for (i, stage) in self.stages.iter().enumerate() {
            let (own, rest) = params.split_at(stage.parameters());
            params = rest;
            let next = self.stages.get(i + 1);
            let input = output;
            let lhs = input.as_deref().unwrap_or(x);
            let (out, (hat, istd, choice)) =
                self.stage_forward(i, lhs, samples, groups, &stage.split(own.iter().copied()), next);
            output = Some(out);
            kept.push(Kept { input, hat, istd, choice });
        }
        let last = self.stages.last().map_or([0, 0], |s| [s.channels(), s.pixels_out()]);
        let mut out = vec![F::ZERO; samples * last[0] * last[1]];
        channels_first(output.as_deref().unwrap_or_default(), last[0], last[1], &mut out);
        (out, Tape { kept, samples, groups })
    }

    /// Whether the first stage unfolds its input.
    fn unfolds(&self) -> Option<Conv> {
        match self.stages.first()?.map {
            Map::Conv(conv) if conv.c < FEW_CHANNELS && !self.input_gradient => Some(conv),
            _ => None,
        }
    }

    /// The left-hand side of the first product, unless it is `x` as it lies.
    fn first_input<F: Real>(&self, x: &[F], samples: usize) -> Option<Buffer<F>> {
        if let Some(conv) = self.unfolds() {
            let mut out = scratch::take(samples * conv.oh() * conv.ow() * conv.c * 9);
            unfold(&conv, x, &mut out);
            return Some(out);
        }
        let Some(Map::Conv(conv)) = self.stages.first().map(|s| s.map) else { return None };
        let framed = conv.input();
        let mut out = scratch::zeros(samples * framed.len());
        channels_last(x, conv.c, conv.h * conv.w, (&mut out, &framed.pixels()));
        Some(out)
    }

    #[allow(clippy::type_complexity, reason = "the three parts of what is kept, used once")]
    fn stage_forward<F: Real>(
        &self,
        i: usize,
        input: &[F],
        samples: usize,
        groups: usize,
        p: &Split<&[F]>,
        next: Option<&Stage>,
    ) -> (Buffer<F>, (Option<Buffer<F>>, Buffer<F>, Vec<u8>)) {
        let stage = &self.stages[i];
        let (c, rows) = (stage.channels(), samples * stage.pixels());
        let weight = p.weight.unwrap_or_default();
        let bias = p.bias.filter(|_| !stage.norm);
        let mut y = scratch::take(rows * c);
        match (stage.map, self.unfolds().filter(|_| i == 0)) {
            (Map::Conv(conv), None) => conv.forward(samples, input, weight, bias, &mut y),
            (_, Some(conv)) => linear(rows, input, conv.c * 9, weight, bias, c, &mut y),
            (Map::Linear { input: k, source, .. }, None) => {
                linear(rows, input, k, &pixel_order(weight, k, source, false), bias, c, &mut y);
            }
        }
        let mut istd = scratch::take(if stage.norm { groups * c } else { 0 });
        if stage.norm {
            let group = rows / groups * c;
            for (y, istd) in y.chunks_exact_mut(group).zip(istd.chunks_exact_mut(c)) {
                standardise(y, istd);
            }
        }
        if stage.bare() && !matches!(next.map(|n| n.map), Some(Map::Conv(_))) {
            return (y, (None, istd, Vec::new()));
        }
        let (mut out, map) = match next.map(|n| n.map) {
            Some(Map::Conv(conv)) => (scratch::zeros(samples * conv.input().len()), conv.input().pixels()),
            _ => (scratch::take(samples * stage.pixels_out() * c), RowMap::dense(c)),
        };
        let mut choice = vec![0; if stage.pool { samples * stage.pixels_out() * c } else { 0 }];
        stage.tail(p, &stage.plain()).forward(&y, (&mut out, &map), &mut choice);
        if let Some(Map::Linear { source: Source::Mean(pixels), .. }) = next.map(|n| n.map) {
            out = mean(&out, c, pixels);
        }
        (out, (Some(y), istd, choice))
    }

    /// Adds to `gradients` those of the parameters (nothing where one has no effect), and returns that of the input where
    /// it was asked for; `x` and `params` are those of the forward pass.
    pub fn backward<F: Real>(
        &self,
        tape: &Tape<F>,
        x: &[F],
        dout: &[F],
        params: &[&[F]],
        gradients: &mut [Vec<F>],
    ) -> Option<Vec<F>> {
        let n = tape.samples;
        let last = self.stages.last().map_or([0, 0], |s| [s.channels(), s.pixels_out()]);
        let mut d = scratch::take(dout.len());
        channels_last(dout, last[0], last[1], (&mut d, &RowMap::dense(last[0])));
        let mut end = params.len();
        for (i, (stage, kept)) in self.stages.iter().zip(&tape.kept).enumerate().rev() {
            let own = end - stage.parameters()..end;
            end = own.start;
            let p = stage.split(params[own.clone()].iter().copied());
            let g = stage.split(gradients[own].iter_mut().map(Vec::as_mut_slice));
            let dy = self.undo_tail(stage, kept, tape.groups, d, &p, g.affine);
            if let Some(dbias) = g.bias.filter(|_| !stage.norm) {
                let mut sums = vec![0.0; dbias.len()];
                add_column_sums(&dy, &mut sums);
                dbias.iter_mut().zip(sums).for_each(|(to, v)| *to = *to + F::of(v));
            }
            let dx = i > 0 || self.input_gradient;
            let input = kept.input.as_deref().unwrap_or(x);
            d = self.undo_map(i, n, input, dy, p.weight.unwrap_or_default(), g.weight, dx);
        }
        self.input_gradient.then(|| match self.stages.first().map(|s| s.map) {
            Some(Map::Conv(conv)) => {
                let mut out = vec![F::ZERO; d.len()];
                channels_first(&d, conv.c, conv.h * conv.w, &mut out);
                out
            }
            _ => d.to_vec(),
        })
    }

    /// From the gradient of a stage's output to that of its map's rows.
    fn undo_tail<F: Real>(
        &self,
        stage: &Stage,
        kept: &Kept<F>,
        groups: usize,
        dout: Buffer<F>,
        p: &Split<&[F]>,
        g: Option<(&mut [F], &mut [F])>,
    ) -> Buffer<F> {
        let Some(hat) = &kept.hat else { return dout };
        let c = stage.channels();
        let mut dy = scratch::take(hat.len());
        let mut sums = vec![0.0; 2 * c];
        let (dgain, doffset) = sums.split_at_mut(c);
        let plain = stage.plain();
        let tail = stage.tail(p, &plain);
        let group = hat.len() / groups;
        let out_group = dout.len() / groups;
        for (i, dy) in dy.chunks_exact_mut(group).enumerate() {
            let istd = stage.norm.then(|| &kept.istd[i * c..(i + 1) * c]);
            let out = i * out_group..(i + 1) * out_group;
            let choice = if stage.pool { &kept.choice[out.clone()] } else { &[] };
            tail.backward(&hat[i * group..(i + 1) * group], istd, &dout[out], choice, dy, dgain, doffset);
        }
        if let Some((to_gain, to_offset)) = g {
            for (to, &v) in to_gain.iter_mut().chain(to_offset).zip(&sums) {
                *to = *to + F::of(v);
            }
        }
        dy
    }

    /// The gradient of a stage's weight into `dweight`, and that of its input, as the stage before gives it, where `dx`.
    #[allow(clippy::too_many_arguments, reason = "the operands of both products")]
    fn undo_map<F: Real>(
        &self,
        i: usize,
        n: usize,
        input: &[F],
        dy: Buffer<F>,
        weight: &[F],
        dweight: Option<&mut [F]>,
        dx: bool,
    ) -> Buffer<F> {
        let stage = &self.stages[i];
        let c = stage.channels();
        let dweight = dweight.unwrap_or_default();
        let dense = RowMap::dense(c);
        if let Some(conv) = self.unfolds().filter(|_| i == 0) {
            let k = conv.c * 9;
            let b = (input, &RowMap::dense(k));
            cols_product(n * stage.pixels(), (&dy, &dense), &[(0, 0, c)], b, k, dweight);
            return dy;
        }
        match stage.map {
            Map::Conv(conv) => {
                let framed = conv.gradient();
                let mut dy_framed = scratch::zeros(n * framed.len());
                let map = framed.pixels();
                for (r, row) in dy.chunks_exact(c).enumerate() {
                    let at = map.at(r);
                    dy_framed[at..at + c].copy_from_slice(row);
                }
                conv.weight_gradient(n, input, &dy_framed, dweight);
                let mut d = scratch::take(if dx { n * conv.h * conv.w * conv.c } else { 0 });
                if dx {
                    conv.input_gradient(n, &dy_framed, weight, &mut d);
                }
                d
            }
            Map::Linear { input: k, source, .. } => {
                let b = (input, &RowMap::dense(k));
                if let Source::Flatten(_) = source {
                    let mut sums = scratch::zeros(c * k);
                    cols_product(n, (&dy, &dense), &[(0, 0, c)], b, k, &mut sums);
                    let ordered = pixel_order(&sums, k, source, true);
                    dweight.iter_mut().zip(&*ordered).for_each(|(to, &v)| *to = *to + v);
                } else {
                    cols_product(n, (&dy, &dense), &[(0, 0, c)], b, k, dweight);
                }
                if !dx {
                    return dy;
                }
                let mut d = scratch::take(n * k);
                let weight = pixel_order(weight, k, source, false);
                let b = Packed::new(c, k, &weight, |o| o * k, 1);
                rows_product(n, (&dy, &dense), &[Run { offset: 0, len: c }], &b, None, (&mut d, &RowMap::dense(k)));
                match source {
                    Source::Mean(pixels) => spread(&d, k, pixels),
                    _ => d,
                }
            }
        }
    }
}

/// Rows `[rows, k]` → `y` `[rows, c]` with `weight` `[c, k]`.
fn linear<F: Real>(rows: usize, x: &[F], k: usize, weight: &[F], bias: Option<&[F]>, c: usize, y: &mut [F]) {
    let b = Packed::new(k, c, weight, |i| i, k);
    rows_product(rows, (x, &RowMap::dense(k)), &[Run { offset: 0, len: k }], &b, bias, (y, &RowMap::dense(c)));
}

/// A weight over flattened images `[o, k]` with its columns reordered from channels first to channels last, or `back`;
/// any other weight as it is.
fn pixel_order<F: Real>(weight: &[F], k: usize, source: Source, back: bool) -> std::borrow::Cow<'_, [F]> {
    let Source::Flatten(pixels) = source else { return weight.into() };
    let channels = k / pixels;
    let (inner, outer) = if back { (pixels, channels) } else { (channels, pixels) };
    let column = |j: usize| j % inner * outer + j / inner;
    weight.chunks_exact(k).flat_map(|row| (0..k).map(move |j| row[column(j)])).collect::<Vec<F>>().into()
}

/// `[n · pixels, c]` → means `[n, c]`.
fn mean<F: Real>(x: &[F], c: usize, pixels: usize) -> Buffer<F> {
    let mut out = scratch::zeros(x.len() / pixels);
    let scale = F::of(1.0 / pixels as f64);
    for (out, image) in out.chunks_exact_mut(c).zip(x.chunks_exact(c * pixels)) {
        for pixel in image.chunks_exact(c) {
            out.iter_mut().zip(pixel).for_each(|(o, &v)| *o = *o + v * scale);
        }
    }
    out
}

/// The gradient of [`mean`].
fn spread<F: Real>(d: &[F], c: usize, pixels: usize) -> Buffer<F> {
    let mut out = scratch::take(d.len() * pixels);
    let scale = F::of(1.0 / pixels as f64);
    for (d, image) in d.chunks_exact(c).zip(out.chunks_exact_mut(c * pixels)) {
        for pixel in image.chunks_exact_mut(c) {
            pixel.iter_mut().zip(d).for_each(|(o, &v)| *o = v * scale);
        }
    }
    out
}
