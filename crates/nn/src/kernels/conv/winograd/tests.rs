//! Against the direct sums.

use super::*;

/// c, o, h, w and images: sizes that tiles fit and do not, one image, channels past a register.
const SHAPES: [([usize; 4], usize); 6] = [
    ([128, 128, 16, 16], 3),
    ([64, 32, 8, 8], 5),
    ([32, 128, 4, 4], 7),
    ([33, 47, 7, 10], 1),
    ([1, 3, 5, 1], 2),
    ([17, 70, 13, 6], 4),
];

fn normal<F: Real>(n: usize, deviation: f64, seed: u64) -> Vec<F> {
    let mut rng = zsad_core::rng::stream(seed, &[]);
    crate::Init::Normal(0.0, deviation).draw(&[n], &mut rng).into_iter().map(|v| F::of(f64::from(v))).collect()
}

/// Normal values inside a frame of zeros.
fn framed<F: Real>(conv: &Conv, n: usize, seed: u64) -> Vec<F> {
    let mut out = vec![F::ZERO; n * conv.input().len()];
    let (pixels, map) = (conv.h * conv.w, conv.input().pixels());
    crate::kernels::conv::channels_last(&normal(n * pixels * conv.c, 1.0, seed), conv.c, pixels, (&mut out, &map));
    out
}

/// The largest difference, by the root of the mean square of `want`.
fn error<F: Real>(got: &[F], want: &[F]) -> f64 {
    let squares: f64 = want.iter().map(|v| v.f64() * v.f64()).sum();
    let largest = got.iter().zip(want).map(|(a, b)| (a.f64() - b.f64()).abs()).fold(0.0, f64::max);
    largest / (squares / want.len() as f64).sqrt()
}

/// Errors of the outputs and both gradients.
fn errors<F: Real>([c, o, h, w]: [usize; 4], n: usize) -> [f64; 3] {
    let conv = Conv { c, o, h, w, stride: 1 };
    let back = conv.turned();
    let (x, dy) = (framed::<F>(&conv, n, 1), framed::<F>(&back, n, 2));
    let weight = normal::<F>(o * c * 9, (2.0 / (9 * (c + o)) as f64).sqrt(), 3);
    let pair = |len: usize| (vec![F::ZERO; len], vec![F::ZERO; len]);
    let (mut y, mut y_direct) = pair(n * h * w * o);
    correlate(&conv, n, &x, &taps(&conv, &weight), &mut y);
    conv.direct(n, &x, &conv.direct_taps(&weight), None, &mut y_direct);
    let (mut dx, mut dx_direct) = pair(n * h * w * c);
    correlate(&back, n, &dy, &taps_back(&conv, &weight), &mut dx);
    conv.direct_input_gradient(n, &dy, &conv.direct_taps_back(&weight), &mut dx_direct);
    let (mut dw, mut dw_direct) = pair(9 * c * o);
    weight_gradient(&conv, n, &x, &dy, &mut dw);
    conv.direct_weight_gradient(n, &x, &dy, &mut dw_direct);
    [error(&y, &y_direct), error(&dx, &dx_direct), error(&dw, &dw_direct)]
}

#[test]
fn as_direct_sums() {
    for (shape, n) in SHAPES {
        let (single, double) = (errors::<f32>(shape, n), errors::<f64>(shape, n));
        assert!(single.iter().all(|&e| e < 1e-4), "{shape:?}: {single:?}");
        assert!(double.iter().all(|&e| e < 1e-12), "{shape:?}: {double:?}");
    }
}

#[test]
fn where_it_pays_a_bias_is_added_too() {
    let conv = Conv { c: 50, o: 48, h: 8, w: 7, stride: 1 };
    let n = 6;
    assert!(
        is_profitable(&conv, n)
            && !is_profitable(&Conv { stride: 2, ..conv }, n)
            && !is_profitable(&Conv { c: 3, ..conv }, n)
    );
    assert!(!is_profitable(&Conv { h: 2, w: 2, ..conv }, 1000) && !is_profitable(&conv, 1));
    let (x, weight, bias) =
        (framed::<f32>(&conv, n, 4), normal::<f32>(48 * 50 * 9, 0.06, 5), normal::<f32>(48, 1.0, 6));
    let (mut y, mut direct) = (vec![0.0; n * 56 * 48], vec![0.0; n * 56 * 48]);
    conv.forward(n, &x, &conv.taps(n, &weight), Some(&bias), &mut y);
    conv.direct(n, &x, &conv.direct_taps(&weight), Some(&bias), &mut direct);
    assert!(error(&y, &direct) < 1e-4);
}
