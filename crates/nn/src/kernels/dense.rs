//! Linear stages on rows, block of rows by block of rows: what a block needs is in the second-level cache from one product
//! to the next.
//!
//! Of each stage its product alone is kept. Normalised and activated values are made from it once more where they are
//! needed, which is cheaper than to fetch them from memory.

mod backward;

use std::ops::Range;

use super::Real;
use super::gemm::{Packed, RowMap, rows_product};
use super::norm::{Moments, Tail, relu, sample_moments};
use super::scratch::{self, Buffer};
use super::stage::{Map, Source, Split, Stage, Statistics};
use super::tile::Run;

/// Rows of a block: a multiple of what the products take at once.
const BLOCK: usize = 384;

/// Linear stages, each on the rows of the one before; the first one's product may be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dense {
    /// The stages.
    pub stages: Vec<Stage>,
    /// Whether the input's gradient is wanted; that of a given product always is.
    pub input_gradient: bool,
    /// Whether there will be a way back.
    pub keep: bool,
}

/// What a stage keeps for the way back.
struct SavedStage<F: Real> {
    /// Its product, rectified where nothing else follows; empty for a bare last stage.
    y: Buffer<F>,
    /// Mean and 1/σ by unit and channel.
    moments: (Buffer<F>, Buffer<F>),
    /// See [`Stage::plain`].
    plain: Vec<F>,
}

/// What [`Dense::forward`] keeps for [`Dense::backward`].
pub struct SavedActivations<F: Real> {
    stages: Vec<SavedStage<F>>,
    samples: usize,
    groups: usize,
    pooled: Vec<Option<Moments>>,
}

impl<F: Real> SavedActivations<F> {
    /// Bytes of all that is kept.
    pub fn bytes(&self) -> usize {
        self.stages.iter().map(|k| k.y.bytes() + k.moments.0.bytes() + k.moments.1.bytes()).sum()
    }

    /// What each stage that normalises over all rows found, without its bias.
    pub fn pooled(&self) -> &[Option<Moments>] {
        &self.pooled
    }

    /// Rows of a unit of `stage`.
    fn unit(&self, stage: &Stage) -> usize {
        self.samples / stage.units(self.samples, self.groups)
    }

    /// The stretches of a block that lie in one unit of `stage` each: (unit, first row, end).
    fn parts(&self, stage: &Stage, rows: &Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> + use<F> {
        let (unit, rows) = (self.unit(stage), rows.clone());
        (rows.start / unit..rows.end.div_ceil(unit))
            .map(move |u| (u, rows.start.max(u * unit)..rows.end.min((u + 1) * unit)))
    }
}

impl Dense {
    /// Whether these stages are linear ones on rows throughout.
    pub fn fits(stages: &[Stage]) -> bool {
        stages.iter().all(|s| matches!(s.map, Map::Linear { source: Source::Rows, .. } | Map::Given(_)) && !s.pool)
    }

    /// The output `[samples, features]` of `samples` samples in `groups` equal groups, and the saved.
    pub fn forward<F: Real>(
        &self,
        x: &[F],
        samples: usize,
        groups: usize,
        params: &[&[F]],
    ) -> (Buffer<F>, SavedActivations<F>) {
        self.run(x, None, [samples, groups], params)
    }

    /// As [`Dense::forward`] where the first stage's product, `[samples, features]`, is given.
    pub fn forward_given<F: Real>(
        &self,
        product: Buffer<F>,
        samples: usize,
        groups: usize,
        params: &[&[F]],
    ) -> (Buffer<F>, SavedActivations<F>) {
        self.run(&[], Some(product), [samples, groups], params)
    }

    fn run<F: Real>(
        &self,
        x: &[F],
        mut given: Option<Buffer<F>>,
        [samples, groups]: [usize; 2],
        params: &[&[F]],
    ) -> (Buffer<F>, SavedActivations<F>) {
        let params = self.by_stage(params);
        let mut saved = SavedActivations { stages: Vec::new(), samples, groups, pooled: Vec::new() };
        let mut block = scratch::take(BLOCK * self.widest());
        for (i, (stage, p)) in self.stages.iter().zip(&params).enumerate() {
            let c = stage.channels();
            let product = stage.input().zip(p.weight).map(|(k, weight)| (k, Packed::transposed(k, c, weight)));
            let bias = p.bias.filter(|_| !stage.centres());
            let mut y = given.take().unwrap_or_else(|| scratch::take(samples * c));
            let mut sums = vec![Moments::new(c); if stage.centres() { groups } else { 0 }];
            let statistics = stage.statistics(stage.units(samples, groups));
            let mut moments = (scratch::take(statistics), scratch::take(statistics));
            for rows in blocks(samples) {
                let y_rows = &mut y[rows.start * c..rows.end * c];
                if let Some((k, b)) = &product {
                    let a = self.input(i, x, &saved, &params, &rows, &mut block);
                    let runs = [Run { offset: 0, len: *k }];
                    rows_product(rows.len(), (a, &RowMap::dense(*k)), &runs, b, bias, (y_rows, &RowMap::dense(c)));
                }
                if stage.in_place() && stage.relu {
                    relu(y_rows);
                }
                if stage.centres() {
                    saved.parts(stage, &rows).for_each(|(g, part)| sums[g].add(&y[part.start * c..part.end * c]));
                }
                if let Statistics::Sample(shared) = stage.norm {
                    let own = rows.start * c..rows.end * c;
                    let (mean, istd) = (&mut moments.0[own.clone()], &mut moments.1[own.clone()]);
                    sample_moments(&y[own], [1, c], shared, mean, istd);
                }
            }
            let positions = moments.0.chunks_exact_mut(c).zip(moments.1.chunks_exact_mut(c));
            sums.iter().zip(positions).for_each(|(sums, (mean, istd))| sums.finish(mean, istd));
            if !self.keep
                && let Some(read) = saved.stages.last_mut()
            {
                read.y = scratch::take(0);
            }
            saved.pooled.push(sums.into_iter().next().filter(|_| stage.norm == Statistics::Pooled));
            saved.stages.push(SavedStage { y, moments, plain: stage.plain() });
        }
        let out = self.output(&mut saved, &params);
        (out, saved)
    }

    /// The parameters, or gradients, of each stage.
    fn by_stage<T: Copy>(&self, mut params: &[T]) -> Vec<Split<T>> {
        let split = |stage: &Stage| {
            let (own, rest) = params.split_at(stage.parameters());
            params = rest;
            stage.split(own.iter().copied())
        };
        self.stages.iter().map(split).collect()
    }

    /// The most features between two stages.
    fn widest(&self) -> usize {
        self.stages.iter().map(Stage::channels).max().unwrap_or(0)
    }

    fn tail<'a, F: Real>(&self, i: usize, g: usize, saved: &'a SavedActivations<F>, p: &Split<&'a [F]>) -> Tail<'a, F> {
        let kept = &saved.stages[i];
        self.stages[i].tail(g, p, (&kept.moments.0, &kept.moments.1), &kept.plain)
    }

    /// The rows that stage `i` reads: of `x`, of the product before where that is final, or else made in `block`.
    fn input<'a, F: Real>(
        &self,
        i: usize,
        x: &'a [F],
        saved: &'a SavedActivations<F>,
        params: &[Split<&[F]>],
        rows: &Range<usize>,
        block: &'a mut [F],
    ) -> &'a [F] {
        let Some(before) = i.checked_sub(1) else {
            let k = x.len() / saved.samples;
            return &x[rows.start * k..rows.end * k];
        };
        let c = self.stages[before].channels();
        if self.stages[before].in_place() {
            return &saved.stages[before].y[rows.start * c..rows.end * c];
        }
        self.activate(before, saved, params, rows, block);
        &block[..rows.len() * c]
    }

    /// The output of stage `i` for some rows.
    fn activate<F: Real>(
        &self,
        i: usize,
        saved: &SavedActivations<F>,
        params: &[Split<&[F]>],
        rows: &Range<usize>,
        to: &mut [F],
    ) {
        let c = self.stages[i].channels();
        for (g, part) in saved.parts(&self.stages[i], rows) {
            let to = &mut to[(part.start - rows.start) * c..(part.end - rows.start) * c];
            let y = &saved.stages[i].y[part.start * c..part.end * c];
            self.tail(i, g, saved, &params[i]).forward(y, (to, &RowMap::dense(c)), &mut []);
        }
    }

    fn output<F: Real>(&self, saved: &mut SavedActivations<F>, params: &[Split<&[F]>]) -> Buffer<F> {
        let Some((last, i)) = self.stages.last().zip(self.stages.len().checked_sub(1)) else { return scratch::take(0) };
        if last.bare() {
            return std::mem::replace(&mut saved.stages[i].y, scratch::take(0));
        }
        let mut out = scratch::take(saved.samples * last.channels());
        self.activate(i, saved, params, &(0..saved.samples), &mut out);
        out
    }
}

fn blocks(samples: usize) -> impl Iterator<Item = Range<usize>> {
    (0..samples).step_by(BLOCK).map(move |start| start..samples.min(start + BLOCK))
}
