//! The way back through a chain.

use std::ops::Range;

use super::maps::Weights;
use super::parts::{cut, cut_ref, each};
use super::{Chain, SavedActivations};
use crate::kernels::Real;
use crate::kernels::conv::{channels_first, channels_last};
use crate::kernels::gemm::RowMap;
use crate::kernels::norm::add_column_sums;
use crate::kernels::scratch::{self, Buffer};
use crate::kernels::stage::{Map, Split, Statistics, add_affine};

/// The gradient of a stage's activations before its pool, and, where all parts share its statistics, the sums of
/// `Tail::sums` over all of them.
type Arrived<F> = (Buffer<F>, Vec<f64>);

impl Chain {
    /// Adds to `gradients` those of the parameters (nothing where one has no effect), and returns that of the input where
    /// it was asked for; `x` and `params` are those of the forward pass.
    pub fn backward<F: Real>(
        &self,
        saved: &SavedActivations<F>,
        x: &[F],
        dout: &[F],
        params: &[&[F]],
        gradients: &mut [Vec<F>],
    ) -> Option<Buffer<F>> {
        let split = self.by_stage(params);
        let [c, pixels] = self.stages.last().map_or([0, 0], |s| [s.channels(), s.pixels_out()]);
        let mut d = scratch::take(dout.len());
        channels_last(dout, c, pixels, (&mut d, &RowMap::dense(c)));
        let last = self.stages.len().checked_sub(1)?;
        let mut arrived = self.arrive(last, saved, &split[last], d);
        let mut end = params.len();
        for (i, stage) in self.stages.iter().enumerate().rev() {
            let own = end - stage.parameters()..end;
            end = own.start;
            let g = stage.split(gradients[own].iter_mut().map(Vec::as_mut_slice));
            let d = self.stage_backward(i, saved, x, &split[i], g, arrived);
            arrived = match i.checked_sub(1) {
                Some(before) => self.arrive(before, saved, &split[before], d),
                None => (d, Vec::new()),
            };
        }
        let d = arrived.0;
        self.input_gradient.then(|| match self.stages.first().map(|s| s.map) {
            Some(Map::Conv(conv)) => {
                let mut out = scratch::take(d.len());
                channels_first(&d, conv.c, conv.h * conv.w, &mut out);
                out
            }
            _ => d,
        })
    }

    /// From the gradient of stage `i`'s output to that of its activations.
    fn arrive<F: Real>(&self, i: usize, saved: &SavedActivations<F>, p: &Split<&[F]>, d: Buffer<F>) -> Arrived<F> {
        let (stage, kept) = (&self.stages[i], &saved.stages[i]);
        let Some(y) = &kept.y else { return (d, Vec::new()) };
        let shared = stage.norm == Statistics::Pooled;
        if !stage.pool && !shared {
            return (d, Vec::new());
        }
        let part = self.part(saved.samples, saved.groups);
        let count = saved.samples.div_ceil(part);
        let (c, plain) = (stage.channels(), stage.plain());
        let (of_y, of_d) = (stage.pixels() * c, stage.pixels_out() * c);
        let mut unpooled = scratch::take(if stage.pool { y.len() } else { 0 });
        let todo = cut(&mut unpooled, part * of_y, count).into_iter().zip(cut_ref(y, part * of_y, count));
        let sums = each(todo.collect(), |at, (to, y)| {
            let d = &d[at * part * of_d..][..y.len() / of_y * of_d];
            let tail = stage.tail(0, p, (&kept.moments.0, &kept.moments.1), &plain);
            let mut sums = vec![0.0; if shared { 2 * c } else { 0 }];
            if stage.pool {
                tail.unpool(stage.size(), d, &kept.choice[at * part * of_d..][..d.len()], to);
            }
            if shared {
                tail.sums(y, if stage.pool { to } else { d }, &mut sums);
            }
            sums
        });
        (if stage.pool { unpooled } else { d }, add_up(sums))
    }

    /// From the gradient of stage `i`'s activations to that of its input, as the stage before gives it; adds to `g` those of
    /// its parameters.
    fn stage_backward<F: Real>(
        &self,
        i: usize,
        saved: &SavedActivations<F>,
        x: &[F],
        p: &Split<&[F]>,
        mut g: Split<&mut [F]>,
        (mut d, sums): Arrived<F>,
    ) -> Buffer<F> {
        let (stage, kept, samples) = (&self.stages[i], &saved.stages[i], saved.samples);
        let part = self.part(samples, saved.groups);
        let count = samples.div_ceil(part);
        let weights = self.weights_back(i, samples, p.weight.unwrap_or_default());
        let input = kept.input.as_deref().unwrap_or(x);
        let of_input = input.len() / samples;
        let below = match (&*weights, stage.map, i.checked_sub(1).map(|b| &self.stages[b])) {
            (Weights::None, Map::Given(_), _) => d.len(),
            (Weights::None, ..) => 0,
            (_, _, Some(before)) => samples * before.pixels_out() * before.channels(),
            (_, Map::Conv(conv), None) => samples * conv.h * conv.w * conv.c,
            (.., None) => samples * of_input,
        };
        let mut dx = scratch::take(below);
        let dweight = g.weight.take().unwrap_or_default();
        // Where there are several parts, each has sums of its own.
        let mut own: Vec<Buffer<F>> = (0..count).filter(|_| count > 1).map(|_| scratch::zeros(dweight.len())).collect();
        let into = if count > 1 { own.iter_mut().map(|b| &mut **b).collect() } else { vec![&mut *dweight] };
        let per_part = d.len() / samples * part;
        let todo = cut(&mut d, per_part, count).into_iter().zip(cut(&mut dx, below / samples * part, count)).zip(into);
        let biased = g.bias.as_ref().map_or(0, |b| if stage.centres() { 0 } else { b.len() });
        let found = each(todo.collect(), |at, ((d, dx), dweight)| {
            let n = d.len() / (stage.pixels() * stage.channels());
            let range = at * part..at * part + n;
            let affine = self.epilogue_backward(i, saved, p, &range, d, &sums);
            let mut bias = vec![0.0; biased];
            if biased > 0 {
                add_column_sums(d, &mut bias);
            }
            let input = &input[range.start * of_input..range.end * of_input];
            self.map_backward(i, [n, samples], input, d, &weights, dweight, dx);
            (affine, bias)
        });
        for own in own {
            dweight.iter_mut().zip(&*own).for_each(|(to, &v)| *to = *to + v);
        }
        let (affine, bias): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        add_affine(g.affine, &if sums.is_empty() { add_up(affine) } else { sums });
        if let Some(to) = g.bias {
            to.iter_mut().zip(add_up(bias)).for_each(|(to, v)| *to = *to + F::of(v));
        }
        dx
    }

    /// From the gradient `d` of some samples' activations to that of their map's rows, with the `sums` over all samples where
    /// those share their statistics; returns what belongs to gain and offset else.
    fn epilogue_backward<F: Real>(
        &self,
        i: usize,
        saved: &SavedActivations<F>,
        p: &Split<&[F]>,
        samples: &Range<usize>,
        d: &mut [F],
        sums: &[f64],
    ) -> Vec<f64> {
        let (stage, kept) = (&self.stages[i], &saved.stages[i]);
        let Some(y) = &kept.y else { return Vec::new() };
        let (c, plain) = (stage.channels(), stage.plain());
        let of_sample = stage.pixels() * c;
        let y = &y[samples.start * of_sample..samples.end * of_sample];
        let tail = |unit| stage.tail(unit, p, (&kept.moments.0, &kept.moments.1), &plain);
        if !sums.is_empty() {
            tail(0).backward(y, d, saved.samples * stage.pixels(), sums);
            return Vec::new();
        }
        let (first, units) = self.units(i, samples, saved);
        let mut total = vec![0.0; 2 * c];
        let rows = y.len() / units;
        for (unit, (d, y)) in d.chunks_exact_mut(rows).zip(y.chunks_exact(rows)).enumerate() {
            let mut sums = vec![0.0; 2 * c];
            tail(first + unit).sums(y, d, &mut sums);
            tail(first + unit).backward(y, d, rows / c, &sums);
            total.iter_mut().zip(&sums).for_each(|(to, v)| *to += v);
        }
        total
    }
}

/// The sum of equally long vectors.
fn add_up(all: Vec<Vec<f64>>) -> Vec<f64> {
    let sum = all.into_iter().reduce(|mut sum, part| {
        sum.iter_mut().zip(&part).for_each(|(to, v)| *to += v);
        sum
    });
    sum.unwrap_or_default()
}
