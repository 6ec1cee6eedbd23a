//! Learned views and an encoder over all of them: one candle operation.

use candle_core::{DType, Tensor};

use super::plan::{Plan, network, samples};
use super::{Element, running, scope, with_slices};
use crate::Result;
use crate::error::bail_shape;
use crate::kernels::compose::{Layer, Pair};
use crate::kernels::dense::{Dense, SavedActivations};
use crate::kernels::scratch::{self, Buffer};
use crate::kernels::stage::{Map, Source, Stage, Statistics};

impl Plan {
    /// Learned views of `x` `[tasks · batch, d]` and an encoder, a plan each: the codes of `x` itself and of every view,
    /// `[tasks · batch, views + 1, output]`. The encoder's statistics run over all views of a task.
    ///
    /// # Errors
    /// As [`Plan::run`].
    pub fn run_views(self, views: Vec<Plan>, x: &Tensor, tasks: usize, output: usize) -> Result<Tensor> {
        match x.dtype() {
            DType::F32 => self.run_views_as::<f32>(views, x, tasks, output),
            _ => self.run_views_as::<f64>(views, x, tasks, output),
        }
    }

    fn run_views_as<F: Element>(self, views: Vec<Plan>, x: &Tensor, tasks: usize, output: usize) -> Result<Tensor> {
        let n = samples(x, tasks)?;
        let k1 = views.len() + 1;
        let x = x.contiguous()?;
        let mut args = vec![x];
        let own = self.params.len();
        args.extend(self.params);
        let mut running = self.running;
        let mut chains = Vec::new();
        for view in views {
            chains.push((view.stages, view.params.len()));
            args.extend(view.params);
        }
        let keep = scope::tracks(&args);
        let net = Views::new(self.stages, chains, n, [keep && args[0].track_op(), keep])?;
        if let (Some(_), Some(Some(first))) = (net.pair, running.first_mut()) {
            // The fused layers add the bias themselves.
            first.bias = None;
        }
        let (out, kept) = with_slices::<F, _>(&args, |s| {
            let (encoder, views) = s[1..].split_at(own);
            net.forward(s[0], [n, tasks], encoder, views)
        })?;
        running::update(&running, kept.encoder.pooled())?;
        scope::record_saved_bytes(kept.bytes());
        network(args, out, &[n, k1, output], move |x, params, dout, sums| {
            let (params, sums) = (params.split_at(own), sums.split_at_mut(own));
            net.backward(&kept, x, dout, params, sums)
        })
    }
}

/// Views and encoder. Where it is_profitable, the encoder's first layer is fused to the last one of each view: nothing happens
/// between the two.
struct Views {
    /// Each view and its number of parameters, the last of which are its last layer's.
    views: Vec<(Dense, usize)>,
    /// The original on its way to the encoder: nothing, or where it is fused, the encoder's first layer.
    original: Option<Dense>,
    encoder: Dense,
    pair: Option<Pair>,
    /// Whether the encoder's first layer has a bias, and the views' last ones.
    bias: [bool; 2],
    /// Features that a view hands to the encoder.
    width: usize,
}

/// What [`Views::forward`] keeps.
struct SavedViews<F: Element> {
    views: Vec<SavedActivations<F>>,
    fused: Vec<(Buffer<F>, Buffer<F>)>,
    original: Option<SavedActivations<F>>,
    encoder: SavedActivations<F>,
    /// The encoder's input, unless the first layer is fused.
    all: Option<Buffer<F>>,
}

impl<F: Element> SavedViews<F> {
    /// Bytes of all that is kept.
    fn bytes(&self) -> usize {
        let fused: usize = self.fused.iter().map(|(w, b)| w.bytes() + b.bytes()).sum();
        let saved = self.views.iter().chain(&self.original).chain([&self.encoder]);
        saved.map(SavedActivations::bytes).sum::<usize>() + fused + self.all.as_ref().map_or(0, Buffer::bytes)
    }
}

impl Views {
    fn new(
        mut encoder: Vec<Stage>,
        views: Vec<(Vec<Stage>, usize)>,
        n: usize,
        [tracked, keep]: [bool; 2],
    ) -> Result<Self> {
        let ends = (encoder.first().copied(), views.first().and_then(|v| v.0.last().copied()));
        let (Some(first), Some(last)) = ends else { bail_shape!("views want a view and an encoder") };
        let (Map::Linear { input: d, output: h, .. }, Map::Linear { input: k, .. }) = (first.map, last.map) else {
            bail_shape!("views and their encoder are linear layers")
        };
        let pair = Some(Pair { k, d, h }).filter(|p| p.is_profitable(n));
        let chain = |stages, input_gradient| Dense { stages, input_gradient, keep };
        let view = |(mut stages, count): (Vec<Stage>, usize)| {
            if let (Some(_), Some(last)) = (pair, stages.last_mut()) {
                *last = Stage { map: Map::Linear { input: k, output: h, source: Source::Rows }, bias: true, ..*last };
            }
            (chain(stages, tracked), count)
        };
        let views = views.into_iter().map(view).collect();
        let mut original = None;
        if pair.is_some() {
            let alone = Stage { norm: Statistics::None, affine: false, relu: false, ..first };
            original = Some(chain(vec![alone], tracked));
            encoder[0] = Stage { map: Map::Given(h), bias: false, ..first };
        }
        let width = if pair.is_some() { h } else { d };
        Ok(Views { views, original, encoder: chain(encoder, true), pair, bias: [first.bias, last.bias], width })
    }

    /// The encoder's parameters: those of the layer that is fused, and the others.
    fn split_encoder<'a, T>(&self, params: &'a [T]) -> (&'a [T], &'a [T]) {
        params.split_at(if self.pair.is_some() { 1 + usize::from(self.bias[0]) } else { 0 })
    }

    /// A view's parameters: those of its own layers, and those of the one that is fused.
    fn split_view<'a, T>(&self, params: &'a [T]) -> (&'a [T], &'a [T]) {
        let fused = if self.pair.is_some() { 1 + usize::from(self.bias[1]) } else { 0 };
        params.split_at(params.len() - fused)
    }

    fn forward<F: Element>(
        &self,
        x: &[F],
        [n, tasks]: [usize; 2],
        encoder: &[&[F]],
        mut views: &[&[F]],
    ) -> (Buffer<F>, SavedViews<F>) {
        let (first, encoder) = self.split_encoder(encoder);
        let k1 = self.views.len() + 1;
        let mut all = scratch::take(n * k1 * self.width);
        let (mut all_saved, mut fused) = (Vec::new(), Vec::new());
        let original = self.original.as_ref().map(|chain| {
            let (rows, saved) = chain.forward(x, n, 1, first);
            scatter_rows(&rows, &mut all, self.width, k1, 0);
            saved
        });
        if original.is_none() {
            scatter_rows(x, &mut all, self.width, k1, 0);
        }
        for (k, (chain, count)) in self.views.iter().enumerate() {
            let (mine, rest) = views.split_at(*count);
            views = rest;
            let (own, last) = self.split_view(mine);
            let mut params = own.to_vec();
            let one = self.pair.map(|pair| pair.fuse(layer(first), layer(last)));
            params.extend(one.iter().flat_map(|(w, b)| [&**w, &**b]));
            let (rows, saved) = chain.forward(x, n, 1, &params);
            scatter_rows(&rows, &mut all, self.width, k1, k + 1);
            all_saved.push(saved);
            fused.extend(one);
        }
        let (out, encoder, all) = match self.pair {
            Some(_) => {
                let (out, saved) = self.encoder.forward_given(all, n * k1, tasks, encoder);
                (out, saved, None)
            }
            None => {
                let (out, saved) = self.encoder.forward(&all, n * k1, tasks, encoder);
                (out, saved, Some(all))
            }
        };
        (out, SavedViews { views: all_saved, fused, original, encoder, all })
    }

    fn backward<F: Element>(
        &self,
        kept: &SavedViews<F>,
        x: &[F],
        dout: &[F],
        (encoder, mut views): (&[&[F]], &[&[F]]),
        (encoder_sums, mut view_sums): (&mut [Vec<F>], &mut [Vec<F>]),
    ) -> Option<Buffer<F>> {
        let (first, encoder) = self.split_encoder(encoder);
        let (first_sums, encoder_sums) = encoder_sums.split_at_mut(first.len());
        let all = kept.all.as_deref().unwrap_or_default();
        let dall = self.encoder.backward(&kept.encoder, all, dout, encoder, encoder_sums)?;
        let k1 = self.views.len() + 1;
        let mut part = scratch::take(dall.len() / k1);
        gather_rows(&dall, &mut part, self.width, k1, 0);
        let mut dx = match (&self.original, &kept.original) {
            (Some(chain), Some(saved)) => chain.backward(saved, x, &part, first, first_sums),
            _ => self.views.first().is_some_and(|v| v.0.input_gradient).then(|| scratch::copy(&part)),
        };
        for (k, ((chain, count), saved)) in self.views.iter().zip(&kept.views).enumerate() {
            let (mine, rest) = views.split_at(*count);
            views = rest;
            let (sums, rest) = std::mem::take(&mut view_sums).split_at_mut(*count);
            view_sums = rest;
            gather_rows(&dall, &mut part, self.width, k1, k + 1);
            let more = match (self.pair, kept.fused.get(k)) {
                (Some(pair), Some((weight, bias))) => {
                    let (own, last) = self.split_view(mine);
                    let params: Vec<&[F]> = own.iter().copied().chain([&**weight, &**bias]).collect();
                    let (own_sums, last_sums) = sums.split_at_mut(own.len());
                    let mut all_sums: Vec<Vec<F>> = own_sums.iter_mut().map(std::mem::take).collect();
                    all_sums.extend([vec![F::ZERO; weight.len()], vec![F::ZERO; bias.len()]]);
                    let more = chain.backward(saved, x, &part, &params, &mut all_sums);
                    let one = (&*all_sums[own.len()], &*all_sums[own.len() + 1]);
                    let gradients = (gradient(first_sums), gradient(last_sums));
                    pair.split_gradients((layer(first), layer(last)), one, gradients);
                    own_sums.iter_mut().zip(all_sums).for_each(|(to, sum)| *to = sum);
                    more
                }
                _ => chain.backward(saved, x, &part, mine, sums),
            };
            if let (Some(dx), Some(more)) = (&mut dx, more) {
                dx.iter_mut().zip(&*more).for_each(|(a, &b)| *a += b);
            }
        }
        dx
    }
}

/// Weight and, where there is one, bias.
fn layer<'a, F: Element>(params: &[&'a [F]]) -> Layer<'a, F> {
    (params.first().copied().unwrap_or_default(), params.get(1).copied())
}

/// The gradients of weight and, where there is one, bias.
fn gradient<F: Element>(sums: &mut [Vec<F>]) -> (&mut [F], Option<&mut [F]>) {
    let mut sums = sums.iter_mut().map(Vec::as_mut_slice);
    (sums.next().unwrap_or_default(), sums.next())
}

/// Rows `[n, d]` into column `k` of `all` `[n, k1, d]`.
fn scatter_rows<F: Element>(rows: &[F], all: &mut [F], d: usize, k1: usize, k: usize) {
    for (to, from) in all.chunks_exact_mut(k1 * d).zip(rows.chunks_exact(d)) {
        to[k * d..(k + 1) * d].copy_from_slice(from);
    }
}

/// The way back of [`scatter_rows`].
fn gather_rows<F: Element>(all: &[F], rows: &mut [F], d: usize, k1: usize, k: usize) {
    for (from, to) in all.chunks_exact(k1 * d).zip(rows.chunks_exact_mut(d)) {
        to.copy_from_slice(&from[k * d..(k + 1) * d]);
    }
}
