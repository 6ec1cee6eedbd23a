//! Attention of several heads with a residual and a layer norm behind it, and where on a grid its keys lie.

use candle_core::{D, Tensor};
use zsad_backbones::LayerShape;
use zsad_nn::layers::{Linear, LinearInit, Norm, NormConfig, NormMode};
use zsad_nn::params::Builder;
use zsad_nn::{Init, Pass, Result};

/// What is added to the scores of keys that are masked.
const MASKED: f32 = -1e9;

/// LayerNorm(query + attention(query, key, value)): `torch.nn.MultiheadAttention` and DETR's post-norm, without dropout.
pub(super) struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm: Norm,
    heads: usize,
}

impl Attention {
    /// Of `dim` values in so many heads, as PyTorch's `_reset_parameters` and Mask2Former's layers start.
    pub fn new(b: &mut Builder, dim: usize, heads: usize) -> Result<Self> {
        // The three projections are one matrix there, by whose shape its bound is.
        let bound = (6.0 / (4 * dim) as f64).sqrt();
        let part = LinearInit { weight: Init::Uniform(-bound, bound), bias: Some(Init::ZEROS) };
        let whole = LinearInit { weight: Init::XavierUniform, bias: Some(Init::ZEROS) };
        let mut linear = |name: &str, init| Linear::new(&mut b.scope(name), dim, dim, init);
        let (query, key, value) = (linear("query", part)?, linear("key", part)?, linear("value", part)?);
        let out = linear("out", whole)?;
        let norm = Norm::new(&mut b.scope("norm"), dim, NormConfig::new(NormMode::Layer))?;
        Ok(Attention { query, key, value, out, norm, heads })
    }

    /// `query` `[n, d]`, `key` and `value` `[m, d]`, `mask` `[m]` (see [`mask`]) → `[n, d]`.
    pub fn forward(&self, query: &Tensor, key: &Tensor, value: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (n, d) = query.dims2()?;
        let width = d / self.heads;
        // [rows, d] → [heads, rows, width]
        let heads = |x: Tensor| x.reshape((x.dims()[0], self.heads, width))?.transpose(0, 1)?.contiguous();
        let (q, k, v) = (self.query.forward(query)?, self.key.forward(key)?, self.value.forward(value)?);
        let (q, k, v) = (heads(q)?, heads(k)?, heads(v)?);
        let mut scores = (q.matmul(&k.transpose(1, 2)?.contiguous()?)? / (width as f64).sqrt())?;
        if let Some(mask) = mask {
            scores = scores.broadcast_add(mask)?;
        }
        // Shifted by what is no part of the gradient, so that nothing overflows.
        let shifted = scores.broadcast_sub(&scores.detach().max_keepdim(D::Minus1)?)?.exp()?;
        let weights = shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)?;
        let seen = weights.matmul(&v)?.transpose(0, 1)?.contiguous()?.reshape((n, d))?;
        self.norm.forward(&(query + self.out.forward(&seen)?)?, Pass::eval(1), false)
    }

    /// The same of a sequence with itself.
    pub fn own(&self, x: &Tensor) -> Result<Tensor> {
        self.forward(x, x, x, None)
    }
}

/// What is added to the scores of keys: nothing where one is `seen`.
pub(super) fn mask(seen: &[bool], like: &Tensor) -> Result<Tensor> {
    let values: Vec<f32> = seen.iter().map(|&s| if s { 0.0 } else { MASKED }).collect();
    Ok(Tensor::from_vec(values, seen.len(), like.device())?.to_dtype(like.dtype())?)
}

/// Sine and cosine embedding of a grid's cells, `[cells · dim]`: the first half of `dim`, a multiple of 4, for the row, the second
/// for the column, both from 0 to 2π over the grid (DETR's, normalised).
///
/// Cells that are `passed` over do not count, and stand where the last before them stands. In the released code those are the
/// cells of the defect.
pub(super) fn position(grid: LayerShape, dim: usize, passed: impl Fn(usize) -> bool) -> Vec<f32> {
    let LayerShape { height, width, .. } = grid;
    let count = |cell: usize| usize::from(!passed(cell));
    let half = dim / 2;
    let mut values = Vec::with_capacity(height * width * dim);
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let down = |to: usize| (0..to).map(|y| count(y * width + x)).sum::<usize>() as f64;
        let along = |to: usize| (0..to).map(|x| count(y * width + x)).sum::<usize>() as f64;
        for at in [down(y + 1) / (down(height) + 1e-6), along(x + 1) / (along(width) + 1e-6)] {
            values.extend((0..half).map(|i| {
                let angle = at * std::f64::consts::TAU / 1e4f64.powf((i / 2 * 2) as f64 / half as f64);
                if i.is_multiple_of(2) { angle.sin() as f32 } else { angle.cos() as f32 }
            }));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use zsad_core::rng::stream;
    use zsad_nn::ParamStore;

    use super::*;

    fn wave(rows: usize, k: f64, f: fn(f64) -> f64) -> Tensor {
        let values = (0..4 * rows).map(|i| f(k * i as f64)).collect::<Vec<_>>();
        Tensor::from_vec(values, (rows, 4), &Device::Cpu).unwrap()
    }

    // a = torch.nn.MultiheadAttention(4, 2).double(), its projections sin(k i) for k = .3 .5 .7 and .9, its biases cos(k i) for
    // k = .1 .2 .3 and .4; torch.nn.functional.layer_norm(q + a(q, k, v, attn_mask=mask)[0], [4])
    #[test]
    fn a_layer_is_pytorchs_with_and_without_a_mask() {
        let mut store = ParamStore::new(&Device::Cpu, DType::F64);
        let layer = Attention::new(&mut store.builder(&mut stream(0, &[])), 4, 2).unwrap();
        for (name, k, bias) in [("query", 0.3, 0.1), ("key", 0.5, 0.2), ("value", 0.7, 0.3), ("out", 0.9, 0.4)] {
            store.set(&format!("{name}.weight"), &wave(4, k, f64::sin)).unwrap();
            store.set(&format!("{name}.bias"), &wave(1, bias, f64::cos).squeeze(0).unwrap()).unwrap();
        }
        let (q, k, v) = (wave(2, 0.6, f64::sin), wave(3, 0.35, f64::cos), wave(3, 0.45, f64::sin));
        let found = |seen: Option<[bool; 3]>| {
            let mask = seen.map(|seen| mask(&seen, &q).unwrap());
            let y = layer.forward(&q, &k, &v, mask.as_ref()).unwrap();
            y.flatten_all().unwrap().to_vec1::<f64>().unwrap()
        };
        let near = |found: Vec<f64>, want: [f64; 8]| {
            assert!(found.iter().zip(want).all(|(f, w)| (f - w).abs() < 1e-8), "{found:?}");
        };
        near(found(None), PLAIN);
        near(found(Some([true; 3])), PLAIN);
        near(found(Some([true, false, true])), SECOND_MASKED);
    }

    const PLAIN: [f64; 8] = [
        -0.665288347628,
        0.279793615575,
        1.497498388996,
        -1.112003656943,
        1.087624344536,
        -0.103131746988,
        0.585204852264,
        -1.569697449812,
    ];
    const SECOND_MASKED: [f64; 8] = [
        -0.773608992748,
        0.4192509996,
        1.434740859254,
        -1.080382866061,
        1.000784408165,
        0.13300171759,
        0.514304894444,
        -1.648091020198,
    ];

    // DETR's PositionEmbeddingSine(4, normalize=True) of a 3 × 4 grid, of which cells 1, 5 and 6 are masked
    #[test]
    fn positions_are_detrs_and_those_of_a_defect_are_passed_over() {
        let grid = LayerShape { channels: 1, height: 3, width: 4 };
        let near = |found: &[f32], want: [f32; 4]| {
            assert!(found.iter().zip(want).all(|(f, w)| (f - w).abs() < 1e-5), "{found:?}");
        };
        let plain = position(grid, 8, |_| false);
        near(&plain[48..52], [-0.866_024_7, -0.500_001_2, 0.041_875_64, 0.999_122_8]);
        near(&plain[52..56], [-1.0, -1.178_097e-6, 0.047_106_44, 0.998_889_9]);
        let passed = position(grid, 8, |cell| [1, 5, 6].contains(&cell));
        near(&passed[..4], [0.866_025_75, -0.499_999_4, 0.020_942_413, 0.999_780_7]);
        near(&passed[48..52], [1.570_795_5e-6, -1.0, 0.031_410_743, 0.999_506_6]);
        near(&passed[92..96], [-1.570_796e-6, 1.0, 0.062_790_5, 0.998_026_7]);
    }
}
