//! The codebook of normal residuals, and the alignment of test residuals to it.

use candle_core::{Tensor, Var};
use zsad_nn::Result;

use crate::math::Points;
use crate::math::neighbours::nearest;

/// The code nearest to each of `rows` `[n, channels]`; `codes` is `[k, channels]`.
fn assign(codes: &[f32], rows: &[f32], channels: usize) -> Vec<usize> {
    let points = |values: &[f32]| Points::from_values(values.to_vec(), channels);
    nearest(&points(codes), &points(rows), 1, false).into_iter().map(|n| n.index).collect()
}

/// What draws codes to the residuals assigned to them: `beta` times the mean squared difference, and its gradient by the
/// codes `[k, c]`. (van den Oord et al., Neural Discrete Representation Learning, 2017; of the two terms the one without
/// an encoder, which the released code weights by `beta`.)
pub(super) fn attraction(codes: &Var, rows: &[f32], beta: f64) -> Result<(f64, Tensor)> {
    let (_, channels) = codes.dims2()?;
    let book = codes.flatten_all()?.to_vec1::<f32>()?;
    let nearest = assign(&book, rows, channels);
    let scale = beta / rows.len() as f64;
    let (mut loss, mut gradient) = (0.0, vec![0.0; book.len()]);
    for (row, code) in rows.chunks_exact(channels).zip(nearest) {
        let at = code * channels..(code + 1) * channels;
        for ((sum, &code), &x) in gradient[at.clone()].iter_mut().zip(&book[at]).zip(row) {
            let difference = f64::from(code) - f64::from(x);
            loss += scale * difference * difference;
            *sum += 2.0 * scale * difference;
        }
    }
    let gradient: Vec<f32> = gradient.into_iter().map(|v| v as f32).collect();
    Ok((loss, Tensor::from_vec(gradient, codes.dims(), codes.device())?))
}

/// Residuals of one image `[positions, channels]`, drawn by `share` towards the distribution of their nearest codes:
/// channel by channel, the k-th smallest value moves towards the k-th smallest of the codes' (exact feature
/// distribution matching: Zhang et al., CVPR 2022).
pub(super) fn align(rows: &mut [f32], codes: &[f32], channels: usize, share: f32) {
    let nearest = assign(codes, rows, channels);
    for channel in 0..channels {
        let mut order: Vec<usize> = (0..nearest.len()).collect();
        order.sort_by(|&a, &b| rows[a * channels + channel].total_cmp(&rows[b * channels + channel]));
        let mut targets: Vec<f32> = nearest.iter().map(|code| codes[code * channels + channel]).collect();
        targets.sort_unstable_by(f32::total_cmp);
        for (position, target) in order.into_iter().zip(targets) {
            let value = &mut rows[position * channels + channel];
            *value += share * (target - *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn wave(n: usize, k: f64) -> Vec<f32> {
        (0..n).map(|i| (i as f64 * 0.9 + k).sin() as f32).collect()
    }

    // import torch; w = lambda n, k: torch.sin(torch.arange(n, dtype=torch.float64) * 0.9 + k).float()
    // x = w(24, 0.2).reshape(8, 3); c = w(15, 1.1).reshape(5, 3).requires_grad_()
    // q = c[torch.cdist(x, c.detach()).argmin(1)]; l = 0.25 * ((q - x) ** 2).mean(); l.backward()
    // v, i = x.sort(0); t = q.detach().sort(0)[0]; y = x + 0.6 * (t.gather(0, i.argsort(0)) - x)
    // print(l.item(), c.grad.flatten().tolist(), y.flatten().tolist())
    #[test]
    fn codes_and_aligned_residuals_are_pytorchs() {
        let codes = Var::from_vec(wave(15, 1.1), (5, 3), &Device::Cpu).unwrap();
        let (loss, gradient) = attraction(&codes, &wave(24, 0.2), 0.25).unwrap();
        assert!((loss - LOSS).abs() < 1e-7, "{loss}");
        near(&gradient.flatten_all().unwrap().to_vec1().unwrap(), &GRADIENT);
        let mut rows = wave(24, 0.2);
        align(&mut rows, &wave(15, 1.1), 3, 0.6);
        near(&rows, &ALIGNED);
    }

    fn near(got: &[f32], want: &[f32]) {
        assert!(got.len() == want.len() && got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-6), "{got:?} {want:?}");
    }

    const LOSS: f64 = 0.023591844365000725;
    const GRADIENT: [f32; 15] = [
        -0.0005356645,
        0.01460237,
        0.018689623,
        0.0086329412,
        -0.007956977,
        -0.018525215,
        -0.00033882417,
        -0.00014034161,
        0.00016434988,
        -0.00034082122,
        -0.00027526543,
        -1.3957422e-06,
        0.00027353194,
        0.00034145484,
        0.00015097111,
    ];
    const ALIGNED: [f32; 24] = [
        0.20853972,
        0.89570779,
        0.90729177,
        0.22477172,
        -0.61978555,
        -0.9999634,
        -0.6196214,
        0.22495389,
        0.90078634,
        0.89559317,
        0.62838084,
        -0.62878823,
        -0.77087837,
        -0.8472088,
        0.23615353,
        0.89710629,
        0.90349489,
        0.2261366,
        -0.62235743,
        -0.99986374,
        -0.62069315,
        0.23286763,
        0.91075653,
        0.89616609,
    ];
}
