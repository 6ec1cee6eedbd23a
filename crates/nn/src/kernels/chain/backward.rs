//! The way back through a chain.

use super::pixels::{mean_backward, pixel_order};
use super::{Chain, SavedActivations, SavedStage};
use crate::kernels::Real;
use crate::kernels::conv::{channels_first, channels_last};
use crate::kernels::gemm::{Packed, RowMap, cols_product, rows_product};
use crate::kernels::norm::add_column_sums;
use crate::kernels::scratch::{self, Buffer};
use crate::kernels::stage::{Map, Source, Split, Stage, add_affine};
use crate::kernels::tile::Run;

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
        let n = saved.samples;
        let [c, pixels] = self.stages.last().map_or([0, 0], |s| [s.channels(), s.pixels_out()]);
        let mut d = scratch::take(dout.len());
        channels_last(dout, c, pixels, (&mut d, &RowMap::dense(c)));
        let mut end = params.len();
        for (i, (stage, kept)) in self.stages.iter().zip(&saved.stages).enumerate().rev() {
            let own = end - stage.parameters()..end;
            end = own.start;
            let p = stage.split(params[own.clone()].iter().copied());
            let g = stage.split(gradients[own].iter_mut().map(Vec::as_mut_slice));
            let dy = epilogue_backward(stage, kept, saved.groups, d, &p, g.affine);
            if let Some(dbias) = g.bias.filter(|_| !stage.norm) {
                let mut sums = vec![0.0; dbias.len()];
                add_column_sums(&dy, &mut sums);
                dbias.iter_mut().zip(sums).for_each(|(to, v)| *to = *to + F::of(v));
            }
            let dx = i > 0 || self.input_gradient;
            let input = kept.input.as_deref().unwrap_or(x);
            d = self.map_backward(i, n, input, dy, p.weight.unwrap_or_default(), g.weight, dx);
        }
        self.input_gradient.then(|| match self.stages.first().map(|s| s.map) {
            Some(Map::Conv(conv)) => {
                let mut out = scratch::take(d.len());
                channels_first(&d, conv.c, conv.h * conv.w, &mut out);
                out
            }
            _ => d,
        })
    }

    /// The gradient of a stage's weight into `dweight`, and that of its input, as the stage before gives it, where `dx`.
    #[allow(clippy::too_many_arguments, reason = "the operands of both products")]
    fn map_backward<F: Real>(
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
            Map::Given(_) => dy,
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
                    Source::Mean(pixels) => mean_backward(&d, k, pixels),
                    _ => d,
                }
            }
        }
    }
}

/// From the gradient of a stage's output to that of its map's rows.
fn epilogue_backward<F: Real>(
    stage: &Stage,
    kept: &SavedStage<F>,
    groups: usize,
    dout: Buffer<F>,
    p: &Split<&[F]>,
    g: Option<(&mut [F], &mut [F])>,
) -> Buffer<F> {
    let Some(y) = &kept.y else { return dout };
    let c = stage.channels();
    let plain = stage.plain();
    let tail = |group| stage.tail(group, p, (&kept.moments.0, &kept.moments.1), &plain);
    let mut d = dout;
    if stage.pool {
        let mut unpooled = scratch::take(y.len());
        tail(0).unpool(stage.size(), &d, &kept.choice, &mut unpooled);
        d = unpooled;
    }
    let group = y.len() / groups;
    let mut total = vec![0.0; 2 * c];
    for (i, (d, y)) in d.chunks_exact_mut(group).zip(y.chunks_exact(group)).enumerate() {
        let mut sums = vec![0.0; 2 * c];
        tail(i).sums(y, d, &mut sums);
        tail(i).backward(y, d, group / c, &sums);
        total.iter_mut().zip(&sums).for_each(|(to, v)| *to += v);
    }
    add_affine(g, &total);
    d
}
