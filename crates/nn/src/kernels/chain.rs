//! A whole network as a chain of stages, forward and backward, task by task where statistics are taken.
//!
//! Activations are rows of channels (samples, or pixels of channels-last images), each written once, where and how the
//! next stage reads it.

mod backward;
mod pixels;

use super::Real;
use super::conv::{Conv, channels_first, channels_last, unfold};
use super::gemm::{Packed, RowMap, rows_product};
use super::norm::{BLOCK, Moments};
use super::scratch::{self, Buffer};
use super::stage::{Map, Source, Split, Stage};
use super::tile::Run;
use pixels::{mean, pixel_order};

/// Channels below which a first convolution unfolds its input.
const FEW_CHANNELS: usize = 8;

/// What a stage keeps for the way back.
struct SavedStage<F: Real> {
    /// The left-hand side of its product; none where it is the chain's input itself.
    input: Option<Buffer<F>>,
    /// Its map's rows; none for a bare stage.
    y: Option<Buffer<F>>,
    /// Mean and 1/σ by group and channel.
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
        let mut saved = Vec::new();
        let mut params = params;
        let mut output = self.first_input(x, samples);
        for (i, stage) in self.stages.iter().enumerate() {
            let (own, rest) = params.split_at(stage.parameters());
            params = rest;
            let next = self.stages.get(i + 1);
            let input = output;
            let lhs = input.as_deref().unwrap_or(x);
            let p = stage.split(own.iter().copied());
            let y = self.product(i, lhs, samples, &p);
            let (out, y, moments, choice) = finish(stage, y, samples, groups, &p, next);
            output = Some(out);
            if self.keep {
                saved.push(SavedStage { input, y, moments, choice });
            }
        }
        let [c, pixels] = self.stages.last().map_or([0, 0], |s| [s.channels(), s.pixels_out()]);
        let out = match output {
            Some(rows) if pixels == 1 => rows,
            rows => {
                let mut out = scratch::take(samples * c * pixels);
                channels_first(rows.as_deref().unwrap_or_default(), c, pixels, &mut out);
                out
            }
        };
        (out, SavedActivations { stages: saved, samples, groups })
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

    /// The rows of stage `i`'s map.
    fn product<F: Real>(&self, i: usize, input: &[F], samples: usize, p: &Split<&[F]>) -> Buffer<F> {
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
            (Map::Given(_), None) => y.copy_from_slice(input),
        }
        y
    }
}

/// A stage's output, and what is kept of it: its map's rows, moments and the pool's choice.
type Finished<F> = (Buffer<F>, Option<Buffer<F>>, (Buffer<F>, Buffer<F>), Vec<u8>);

/// What follows a stage's map, the output lying as `next` wants it.
fn finish<F: Real>(
    stage: &Stage,
    y: Buffer<F>,
    samples: usize,
    groups: usize,
    p: &Split<&[F]>,
    next: Option<&Stage>,
) -> Finished<F> {
    let (c, rows) = (stage.channels(), samples * stage.pixels());
    let statistics = if stage.norm { groups * c } else { 0 };
    let mut moments = (scratch::take(statistics), scratch::take(statistics));
    if stage.bare() && !matches!(next.map(|n| n.map), Some(Map::Conv(_))) {
        return (y, None, moments, Vec::new());
    }
    let (mut out, map) = match next.map(|n| n.map) {
        Some(Map::Conv(conv)) => (scratch::zeros(samples * conv.input().len()), conv.input().pixels()),
        _ => (scratch::take(samples * stage.pixels_out() * c), RowMap::dense(c)),
    };
    let mut choice = vec![0; if stage.pool { samples * stage.pixels_out() * c } else { 0 }];
    let plain = stage.plain();
    // A group at a time while it is in the caches.
    let (group, out_group, choices) = (rows / groups * c, out.len() / groups, choice.len() / groups);
    for (g, y) in y.chunks_exact(group).enumerate() {
        if stage.norm {
            let mut sums = Moments::new(c);
            y.chunks(BLOCK * c).for_each(|block| sums.add(block));
            sums.finish(&mut moments.0[g * c..(g + 1) * c], &mut moments.1[g * c..(g + 1) * c]);
        }
        let out = (&mut out[g * out_group..(g + 1) * out_group], &map);
        let choice = &mut choice[g * choices..(g + 1) * choices];
        stage.tail(g, p, (&moments.0, &moments.1), &plain).forward(y, out, choice);
    }
    if let Some(Map::Linear { source: Source::Mean(pixels), .. }) = next.map(|n| n.map) {
        out = mean(&out, c, pixels);
    }
    (out, Some(y), moments, choice)
}

/// Rows `[rows, k]` → `y` `[rows, c]` with `weight` `[c, k]`.
fn linear<F: Real>(rows: usize, x: &[F], k: usize, weight: &[F], bias: Option<&[F]>, c: usize, y: &mut [F]) {
    let b = Packed::transposed(k, c, weight);
    rows_product(rows, (x, &RowMap::dense(k)), &[Run { offset: 0, len: k }], &b, bias, (y, &RowMap::dense(c)));
}
