//! What becomes of pixels between convolutions and a linear layer.

use crate::kernels::Real;
use crate::kernels::stage::Source;

/// A weight over flattened images `[o, k]` with its columns reordered from channels first to channels last, or `back`;
/// any other weight as it is.
pub fn pixel_order<F: Real>(weight: &[F], k: usize, source: Source, back: bool) -> std::borrow::Cow<'_, [F]> {
    let Source::Flatten(pixels) = source else { return weight.into() };
    let channels = k / pixels;
    let (inner, outer) = if back { (pixels, channels) } else { (channels, pixels) };
    let column = |j: usize| j % inner * outer + j / inner;
    weight.chunks_exact(k).flat_map(|row| (0..k).map(move |j| row[column(j)])).collect::<Vec<F>>().into()
}

/// `[n · pixels, c]` → means `[n, c]`.
pub fn mean<F: Real>(x: &[F], c: usize, pixels: usize, out: &mut [F]) {
    out.fill(F::ZERO);
    let scale = F::of(1.0 / pixels as f64);
    for (out, image) in out.chunks_exact_mut(c).zip(x.chunks_exact(c * pixels)) {
        for pixel in image.chunks_exact(c) {
            out.iter_mut().zip(pixel).for_each(|(o, &v)| *o = *o + v * scale);
        }
    }
}

/// The gradient of [`mean`].
pub fn mean_backward<F: Real>(d: &[F], c: usize, pixels: usize, out: &mut [F]) {
    let scale = F::of(1.0 / pixels as f64);
    for (d, image) in d.chunks_exact(c).zip(out.chunks_exact_mut(c * pixels)) {
        for pixel in image.chunks_exact_mut(c) {
            pixel.iter_mut().zip(d).for_each(|(o, &v)| *o = v * scale);
        }
    }
}
