//! The way back through linear stages.

use std::ops::Range;

use super::{BLOCK, Dense, SavedActivations, blocks};
use crate::kernels::Real;
use crate::kernels::gemm::{Packed, RowMap, cols_product, rows_product};
use crate::kernels::norm::{add_column_sums, relu_backward};
use crate::kernels::scratch::{self, Buffer};
use crate::kernels::stage::{Map, Split, add_affine};
use crate::kernels::tile::Run;

impl Dense {
    /// Adds to `gradients` those of the parameters (nothing where one has no effect), and returns that of the input, or of
    /// the given product, where it was asked for; `x` and `params` are those of the forward pass.
    pub fn backward<F: Real>(
        &self,
        saved: &SavedActivations<F>,
        x: &[F],
        dout: &[F],
        params: &[&[F]],
        gradients: &mut [Vec<F>],
    ) -> Option<Buffer<F>> {
        let n = saved.samples;
        let params = self.by_stage(params);
        let mut block = scratch::take(BLOCK * self.widest());
        let mut d = scratch::copy(dout);
        let mut sums = self.sums(self.stages.len().checked_sub(1), saved);
        if let Some(last) = self.stages.len().checked_sub(1) {
            self.add_sums(last, saved, &params, &(0..n), &d, &mut sums);
        }
        let mut end = gradients.len();
        for (i, (stage, p)) in self.stages.iter().zip(&params).enumerate().rev() {
            let own = end - stage.parameters()..end;
            end = own.start;
            let mut g = stage.split(gradients[own].iter_mut().map(Vec::as_mut_slice));
            add_affine(g.affine.take(), &sums.iter().fold(vec![0.0; 2 * stage.channels()], add));
            let c = stage.channels();
            let below = i > 0 || self.input_gradient;
            let mut back = stage.input().zip(p.weight).map(|(k, weight)| {
                (
                    k,
                    below.then(|| Packed::new(c, k, weight, |o| o * k, 1)),
                    scratch::take(if below { n * k } else { 0 }),
                )
            });
            let mut bias = vec![0.0; if stage.centres() { 0 } else { g.bias.as_ref().map_or(0, |b| b.len()) }];
            let mut next_sums = self.sums(i.checked_sub(1), saved);
            for rows in blocks(n) {
                let d_rows = &mut d[rows.start * c..rows.end * c];
                self.epilogue_backward(i, saved, p, &rows, d_rows, &sums);
                if !bias.is_empty() {
                    add_column_sums(d_rows, &mut bias);
                }
                let Some((k, b, dx)) = &mut back else { continue };
                let k = *k;
                let (a_map, d_map, runs) = (RowMap::dense(k), RowMap::dense(c), [Run { offset: 0, len: c }]);
                let a = self.input(i, x, saved, &params, &rows, &mut block);
                let (a, d_rows) = ((a, &a_map), (&*d_rows, &d_map));
                let dweight = g.weight.as_deref_mut().unwrap_or_default();
                cols_product(rows.len(), d_rows, &[(0, 0, c)], a, k, dweight);
                if let Some(b) = b {
                    let dx = &mut dx[rows.start * k..rows.end * k];
                    rows_product(rows.len(), d_rows, &runs, b, None, (dx, &a_map));
                    if let Some(before) = i.checked_sub(1) {
                        self.add_sums(before, saved, &params, &rows, dx, &mut next_sums);
                    }
                }
            }
            if let Some(to) = g.bias {
                to.iter_mut().zip(bias).for_each(|(to, v)| *to = *to + F::of(v));
            }
            if let Some((_, _, dx)) = back {
                d = dx;
            }
            sums = next_sums;
        }
        let given = matches!(self.stages.first().map(|s| s.map), Some(Map::Given(_)));
        (given || self.input_gradient).then_some(d)
    }

    /// Zeros for the sums of stage `i` by unit; none where it takes none.
    fn sums<F: Real>(&self, i: Option<usize>, saved: &SavedActivations<F>) -> Vec<Vec<f64>> {
        let stage = i.map(|i| &self.stages[i]).filter(|s| !s.in_place());
        stage.map_or_else(Vec::new, |s| vec![vec![0.0; 2 * s.channels()]; s.units(saved.samples, saved.groups)])
    }

    /// Adds to the sums of stage `i` those of some rows, whose outputs have the gradient `d`.
    fn add_sums<F: Real>(
        &self,
        i: usize,
        saved: &SavedActivations<F>,
        params: &[Split<&[F]>],
        rows: &Range<usize>,
        d: &[F],
        sums: &mut [Vec<f64>],
    ) {
        let c = self.stages[i].channels();
        if sums.is_empty() {
            return;
        }
        for (g, part) in saved.parts(&self.stages[i], rows) {
            let d = &d[(part.start - rows.start) * c..(part.end - rows.start) * c];
            let y = &saved.stages[i].y[part.start * c..part.end * c];
            self.tail(i, g, saved, &params[i]).sums(y, d, &mut sums[g]);
        }
    }

    /// Turns the gradient of some rows of a stage's output into that of its product.
    fn epilogue_backward<F: Real>(
        &self,
        i: usize,
        saved: &SavedActivations<F>,
        p: &Split<&[F]>,
        rows: &Range<usize>,
        d: &mut [F],
        sums: &[Vec<f64>],
    ) {
        let (stage, y) = (&self.stages[i], &saved.stages[i].y);
        let c = stage.channels();
        if stage.in_place() {
            if stage.relu {
                relu_backward(&y[rows.start * c..rows.end * c], d);
            }
            return;
        }
        for (g, part) in saved.parts(stage, rows) {
            let d = &mut d[(part.start - rows.start) * c..(part.end - rows.start) * c];
            let y = &y[part.start * c..part.end * c];
            self.tail(i, g, saved, p).backward(y, d, saved.unit(stage), &sums[g]);
        }
    }
}

fn add(mut total: Vec<f64>, sums: &Vec<f64>) -> Vec<f64> {
    total.iter_mut().zip(sums).for_each(|(to, v)| *to += v);
    total
}
