//! A whole network as a chain of stages, forward and backward.
//!
//! Activations are rows of channels (samples, or pixels of channels-last images), each written once, where and how the
//! next stage reads it. A large batch that is one group passes in parts, which threads share; how it is cut depends on its
//! size alone.

mod backward;
mod kept;
mod maps;
mod parts;
mod pixels;

use super::Real;
use super::conv::{Conv, channels_first, channels_last, unfold};
use super::gemm::RowMap;
use super::norm::{Moments, sample_moments};
use super::scratch::{self, Buffer};
use super::stage::{Map, Source, Split, Stage, Statistics};
pub use kept::Kept;
use parts::{cut, cut_ref, each};
use pixels::mean;

/// Channels below which a first convolution unfolds its input.
const FEW_CHANNELS: usize = 8;
/// Parts of a large batch, at most.
const PARTS: usize = 8;
/// Samples of a part, at least.
const FEWEST: usize = 4;

/// What a stage keeps for the way back.
struct SavedStage<F: Real> {
    /// The left-hand side of its product; none where it is the chain's input itself.
    input: Option<Buffer<F>>,
    /// Its map's rows; none for a bare stage.
    y: Option<Buffer<F>>,
    /// Mean and 1/σ by unit and channel.
    moments: (Buffer<F>, Buffer<F>),
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
    /// Whether there will be a way back.
    pub keep: bool,
}

/// What [`Chain::forward`] keeps for [`Chain::backward`].
pub struct SavedActivations<F: Real> {
    stages: Vec<SavedStage<F>>,
    samples: usize,
    groups: usize,
    pooled: Vec<Option<Moments>>,
}

impl<F: Real> SavedActivations<F> {
    /// Bytes of all that is kept.
    pub fn bytes(&self) -> usize {
        let bytes = |k: &SavedStage<F>| {
            let buffers = [k.input.as_ref(), k.y.as_ref(), Some(&k.moments.0), Some(&k.moments.1)];
            buffers.into_iter().flatten().map(Buffer::bytes).sum::<usize>() + k.choice.len()
        };
        self.stages.iter().map(bytes).sum()
    }

    /// What each stage that normalises over all rows found, without its bias.
    pub fn pooled(&self) -> &[Option<Moments>] {
        &self.pooled
    }
}

impl Chain {
    /// The output of `samples` samples in `groups` equal groups, `[samples, …]` with channels first, and what is kept.
    pub fn forward<F: Real>(
        &self,
        x: &[F],
        samples: usize,
        groups: usize,
        params: &[&[F]],
    ) -> (Buffer<F>, SavedActivations<F>) {
        let params = self.by_stage(params);
        let mut saved = SavedActivations { stages: Vec::new(), samples, groups, pooled: Vec::new() };
        for i in 0..self.stages.len() {
            self.stage(i, x, &params, &mut saved);
            if !self.keep
                && let Some(read) = i.checked_sub(1)
            {
                (saved.stages[read].y, saved.stages[i].input) = (None, None);
            }
        }
        let out = self.output(&params, &mut saved);
        if !self.keep {
            saved.stages.clear();
        }
        (out, saved)
    }

    /// Samples of a part.
    fn part(&self, samples: usize, groups: usize) -> usize {
        let any = |f: fn(&Statistics) -> bool| self.stages.iter().any(|s| f(&s.norm));
        // Statistics of tasks come in groups that are small, and one group passes as any other. Without gradients no sum
        // runs over samples but those of the statistics.
        let cut = !self.keep || any(|s| !matches!(s, Statistics::None | Statistics::Batch));
        if groups == 1 && cut && !any(|s| *s == Statistics::Batch) {
            samples.div_ceil(PARTS).max(FEWEST).min(samples)
        } else {
            samples
        }
    }

    /// Whether the first stage unfolds its input.
    fn unfolds(&self, i: usize) -> Option<Conv> {
        match self.stages.first()?.map {
            Map::Conv(conv) if i == 0 && conv.c < FEW_CHANNELS && !self.input_gradient => Some(conv),
            _ => None,
        }
    }

    /// Values of a sample on the left-hand side of product `i`; none where that is what lies there already: `x`, or the rows
    /// of a bare stage.
    fn input_len(&self, i: usize) -> Option<usize> {
        if let Some(conv) = self.unfolds(i) {
            return Some(conv.oh() * conv.ow() * conv.c * 9);
        }
        match (self.stages[i].map, i.checked_sub(1).map(|before| &self.stages[before])) {
            (Map::Conv(conv), _) => Some(conv.input().len()),
            (_, None) => None,
            (Map::Linear { input, source: Source::Mean(_), .. }, _) => Some(input),
            (_, Some(before)) => (!before.bare()).then(|| before.pixels_out() * before.channels()),
        }
    }

    /// Computes the rows of stage `i` and their statistics, from what the stage before makes of its own.
    fn stage<F: Real>(&self, i: usize, x: &[F], params: &[Split<&[F]>], saved: &mut SavedActivations<F>) {
        let (stage, p, samples, groups) = (&self.stages[i], &params[i], saved.samples, saved.groups);
        let part = self.part(samples, groups);
        let count = samples.div_ceil(part);
        let (c, pixels) = (stage.channels(), stage.pixels());
        let mut y = scratch::take(samples * pixels * c);
        let statistics = stage.statistics(stage.units(samples, groups));
        let mut moments = (scratch::take(statistics), scratch::take(statistics));
        let mut input = match (self.input_len(i), i.checked_sub(1)) {
            (Some(len), _) => Some(scratch::take(samples * len)),
            (None, Some(before)) => saved.stages[before].y.take(),
            (None, None) => None,
        };
        let before = i.checked_sub(1);
        let pooled = before.map_or(0, |b| {
            if self.stages[b].pool { self.stages[b].pixels_out() * self.stages[b].channels() } else { 0 }
        });
        let mut choice = vec![0; samples * pooled];
        let weights = self.weights(i, samples, p.weight.unwrap_or_default());
        let found = {
            let of_sample = if let Statistics::Sample(_) = stage.norm { part * c } else { 0 };
            let own = |values| if count > 1 { cut(values, of_sample, count) } else { vec![values] };
            let given = self.input_len(i).is_none();
            let lhs = input.as_deref_mut().unwrap_or_default();
            let lhs = cut(lhs, lhs.len() / samples * part, count);
            let todo = lhs.into_iter().zip(cut(&mut choice, part * pooled, count));
            let todo = todo.zip(cut(&mut y, part * pixels * c, count));
            let todo = todo.zip(own(&mut moments.0).into_iter().zip(own(&mut moments.1)));
            each(todo.collect(), |at, (((input, choice), y), (mean, istd))| {
                let (first, n) = (at * part, y.len() / (pixels * c));
                let x = &x[first * (x.len() / samples)..][..n * (x.len() / samples)];
                match before {
                    None => self.first_input(x, input),
                    Some(before) if !given => {
                        self.hand_on(before, saved, &params[before], first..first + n, (input, choice))
                    }
                    Some(_) => {}
                }
                let lhs = if before.is_none() && given { x } else { input };
                self.product(i, n, lhs, &weights, p.bias.filter(|_| !stage.centres()), y);
                statistics_of(stage, y, groups, mean, istd)
            })
        };
        if let Some(before) = before {
            saved.stages[before].choice = choice;
        }
        let all = found.into_iter().flatten().reduce(|mut all, part| {
            all.merge(&part);
            all
        });
        if let Some(all) = &all {
            all.finish(&mut moments.0, &mut moments.1);
        }
        saved.pooled.push(all);
        saved.stages.push(SavedStage { input, y: Some(y), moments, choice: Vec::new() });
    }

    /// The left-hand side of the first product, unless it is `x` as it lies.
    fn first_input<F: Real>(&self, x: &[F], input: &mut [F]) {
        if let Some(conv) = self.unfolds(0) {
            unfold(&conv, x, input);
        } else if let Some(Map::Conv(conv)) = self.stages.first().map(|s| s.map) {
            input.fill(F::ZERO);
            channels_last(x, conv.c, conv.h * conv.w, (input, &conv.input().pixels()));
        }
    }

    /// What stage `i` makes of the rows of some samples, as the next stage reads it.
    fn hand_on<F: Real>(
        &self,
        i: usize,
        saved: &SavedActivations<F>,
        p: &Split<&[F]>,
        samples: std::ops::Range<usize>,
        (to, choice): (&mut [F], &mut [u8]),
    ) {
        let c = self.stages[i].channels();
        match self.stages.get(i + 1).map(|next| next.map) {
            Some(Map::Conv(conv)) => {
                to.fill(F::ZERO);
                self.activate(i, saved, p, samples, (to, &conv.input().pixels()), choice);
            }
            Some(Map::Linear { source: Source::Mean(pixels), .. }) => {
                let mut all = scratch::take(to.len() * pixels);
                self.activate(i, saved, p, samples, (&mut all, &RowMap::dense(c)), choice);
                mean(&all, c, pixels, to);
            }
            _ => self.activate(i, saved, p, samples, (to, &RowMap::dense(c)), choice),
        }
    }

    /// What follows the map of stage `i`, for some samples.
    fn activate<F: Real>(
        &self,
        i: usize,
        saved: &SavedActivations<F>,
        p: &Split<&[F]>,
        samples: std::ops::Range<usize>,
        (out, map): (&mut [F], &RowMap),
        choice: &mut [u8],
    ) {
        let (stage, kept) = (&self.stages[i], &saved.stages[i]);
        let (plain, of_sample) = (stage.plain(), stage.pixels() * stage.channels());
        let y = &kept.y.as_deref().unwrap_or_default()[samples.start * of_sample..samples.end * of_sample];
        let (first, units) = self.units(i, &samples, saved);
        let parts = cut(out, out.len() / units, units).into_iter().zip(cut(choice, choice.len() / units, units));
        for ((unit, y), (out, choice)) in cut_ref(y, y.len() / units, units).into_iter().enumerate().zip(parts) {
            let tail = stage.tail(first + unit, p, (&kept.moments.0, &kept.moments.1), &plain);
            tail.forward(y, (out, map), choice);
        }
    }

    /// The first unit of stage `i` among some samples, a part, and how many they are.
    fn units<F: Real>(
        &self,
        i: usize,
        samples: &std::ops::Range<usize>,
        saved: &SavedActivations<F>,
    ) -> (usize, usize) {
        let all = self.stages[i].units(saved.samples, saved.groups);
        if all == saved.samples { (samples.start, samples.len()) } else { (0, all) }
    }

    /// The network's output, with channels first.
    fn output<F: Real>(&self, params: &[Split<&[F]>], saved: &mut SavedActivations<F>) -> Buffer<F> {
        let Some((i, stage)) = self.stages.iter().enumerate().next_back() else { return scratch::take(0) };
        let [c, pixels] = [stage.channels(), stage.pixels_out()];
        let rows = if stage.bare() { saved.stages[i].y.take() } else { None };
        let rows = rows.unwrap_or_else(|| {
            let mut out = scratch::take(saved.samples * pixels * c);
            let mut choice = vec![0; if stage.pool { out.len() } else { 0 }];
            self.activate(i, saved, &params[i], 0..saved.samples, (&mut out, &RowMap::dense(c)), &mut choice);
            saved.stages[i].choice = choice;
            out
        });
        if pixels == 1 {
            return rows;
        }
        let mut out = scratch::take(rows.len());
        channels_first(&rows, c, pixels, &mut out);
        out
    }

    /// The parameters of each stage.
    fn by_stage<'a, F>(&self, mut params: &[&'a [F]]) -> Vec<Split<&'a [F]>> {
        let split = |stage: &Stage| {
            let (own, rest) = params.split_at(stage.parameters());
            params = rest;
            stage.split(own.iter().copied())
        };
        self.stages.iter().map(split).collect()
    }
}

/// The statistics of rows `y`, a part: those of its units into `mean` and `istd`; those that all parts share are returned.
fn statistics_of<F: Real>(stage: &Stage, y: &[F], groups: usize, mean: &mut [F], istd: &mut [F]) -> Option<Moments> {
    let c = stage.channels();
    match stage.norm {
        Statistics::None | Statistics::Given => None,
        Statistics::Pooled => Some(Moments::of(y, c)),
        Statistics::Sample(shared) => {
            sample_moments(y, [stage.pixels(), c], shared, mean, istd);
            None
        }
        Statistics::Batch => {
            let to = mean.chunks_exact_mut(c).zip(istd.chunks_exact_mut(c));
            for (y, (mean, istd)) in y.chunks_exact(y.len() / groups).zip(to) {
                Moments::of(y, c).finish(mean, istd);
            }
            None
        }
    }
}
