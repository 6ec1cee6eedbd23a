//! Two linear layers in a row as one: where many rows pass, the product of the weights is cheaper than both layers.

use super::Real;
use super::gemm::{Packed, RowMap, cols_product, rows_product};
use super::scratch::{self, Buffer};
use super::tile::Run;

/// A layer `k → d` and the one after it, `d → h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Input features of the inner layer.
    pub k: usize,
    /// Features between.
    pub d: usize,
    /// Output features of the outer layer.
    pub h: usize,
}

/// A layer's weight `[out, in]` and bias `[out]`.
pub type Layer<'a, F> = (&'a [F], Option<&'a [F]>);
/// The gradients of both, to add to.
pub type LayerGradient<'a, F> = (&'a mut [F], Option<&'a mut [F]>);

impl Pair {
    /// Whether one layer, and the products that make it, take fewer operations than two over so many rows.
    pub fn is_profitable(&self, rows: usize) -> bool {
        (rows + self.d) * self.k * self.h < rows * self.d * (self.k + self.h)
    }

    /// Weight `[h, k]` and bias `[h]` of the one layer: W_o W_i and W_o b_i + b_o.
    pub fn fuse<F: Real>(&self, outer: Layer<F>, inner: Layer<F>) -> (Buffer<F>, Buffer<F>) {
        let Pair { k, d, h } = *self;
        let runs = [Run { offset: 0, len: d }];
        let from = (outer.0, &RowMap::dense(d));
        let mut weight = scratch::take(h * k);
        let b = Packed::new(d, k, inner.0, |i| i * k, 1);
        rows_product(h, from, &runs, &b, None, (&mut weight, &RowMap::dense(k)));
        let mut bias = scratch::zeros(h);
        if let Some(inner) = inner.1 {
            let b = Packed::new(d, 1, inner, |i| i, 1);
            rows_product(h, from, &runs, &b, None, (&mut bias, &RowMap::dense(1)));
        }
        if let Some(outer) = outer.1 {
            bias.iter_mut().zip(outer).for_each(|(b, &o)| *b = *b + o);
        }
        (weight, bias)
    }

    /// Adds the gradients of both layers from those of the one.
    pub fn split_gradients<F: Real>(
        &self,
        (outer, inner): (Layer<F>, Layer<F>),
        (dweight, dbias): (&[F], &[F]),
        (douter, dinner): (LayerGradient<F>, LayerGradient<F>),
    ) {
        let Pair { k, d, h } = *self;
        // dW_i += W_oᵀ dW, db_i += W_oᵀ db.
        let outer = (outer.0, &RowMap::dense(d));
        let whole = [(0, 0, d)];
        cols_product(h, outer, &whole, (dweight, &RowMap::dense(k)), k, dinner.0);
        if let Some(to) = dinner.1 {
            cols_product(h, outer, &whole, (dbias, &RowMap::dense(1)), 1, to);
        }
        // dW_o += dW W_iᵀ + db b_iᵀ, db_o += db.
        let mut product = scratch::take(h * d);
        let b = Packed::transposed(k, d, inner.0);
        let runs = [Run { offset: 0, len: k }];
        rows_product(h, (dweight, &RowMap::dense(k)), &runs, &b, None, (&mut product, &RowMap::dense(d)));
        douter.0.iter_mut().zip(&*product).for_each(|(to, &v)| *to = *to + v);
        if let Some(bias) = inner.1 {
            for (row, &db) in douter.0.chunks_exact_mut(d).zip(dbias) {
                row.iter_mut().zip(bias).for_each(|(to, &b)| *to = *to + db * b);
            }
        }
        if let Some(to) = douter.1 {
            to.iter_mut().zip(dbias).for_each(|(to, &v)| *to = *to + v);
        }
    }
}
