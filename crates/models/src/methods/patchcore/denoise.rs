//! References that hold defects themselves: patches that are unlike their own position in the other references are left out
//! (SoftPatch).

use rayon::prelude::*;
use zsad_core::{Error, Result};

use crate::families::classical::PointMethod;
use crate::families::neighbourhood::HowMany;
use crate::math::Points;
use crate::methods::lof::Lof;

/// The local outlier factor of every patch among those of its position, `[images · positions]`; `k` neighbours, or all where there
/// are fewer. Patches are taken as they are, where the released code projects them to 128 values at random.
///
/// # Errors
/// [`Error::Refused`] for a single image.
pub(super) fn weights(images: &[Points<f32>], k: usize) -> Result<Vec<f64>> {
    if images.len() < 2 {
        return Err(Error::refused("`denoise: lof` compares references with each other: two at least"));
    }
    let lof = Lof { near: HowMany { k, k_share: 0.0 }, ..Lof::default() };
    let at = |position: usize| {
        let values = images.iter().flat_map(|image| image.row(position)).map(|&v| f64::from(v)).collect();
        let points = Points::from_values(values, images[0].dim());
        lof.score(&lof.fit(&points, 0)?, &points, true)
    };
    let positions = images[0].len();
    let by_position = (0..positions).into_par_iter().map(at).collect::<Result<Vec<_>>>()?;
    Ok((0..images.len()).flat_map(|image| by_position.iter().map(move |at| at[image])).collect())
}

/// The places of those that are not above the (1 − share) quantile of all.
pub(super) fn kept(weights: &[f64], share: f64) -> Vec<usize> {
    let mut sorted = weights.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = (1.0 - share) * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    let quantile = low + (high - low) * at.fract();
    (0..weights.len()).filter(|&i| weights[i] <= quantile).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::neighbours::nearest;
    use crate::math::testing::agree;

    // import numpy as np; from sklearn.neighbors import LocalOutlierFactor
    // f = np.sin(.7 * np.arange(36)).reshape(6, 2, 3); f[5, 0] += (2, 0, -1)
    // w = np.array([-LocalOutlierFactor(2).fit(f[:, p]).negative_outlier_factor_ for p in (0, 1)]).T; print(w.T)
    // t = np.quantile(w, .85); keep = w.ravel() <= t; print(t, np.flatnonzero(~keep))
    // d = ((np.cos(.4 * np.arange(6)).reshape(2, 1, 3) - f.reshape(12, 3)[keep]) ** 2).sum(-1)
    // print(d.min(1), np.flatnonzero(keep)[d.argmin(1)], d.min(1) * w.ravel()[keep][d.argmin(1)])
    #[test]
    fn factors_and_what_is_kept_are_scikit_learns() {
        let value = |i: usize| {
            let moved = if i / 6 == 5 { [2.0, 0.0, -1.0, 0.0, 0.0, 0.0][i % 6] } else { 0.0 };
            ((0.7 * i as f64).sin() + moved) as f32
        };
        let image = |i: usize| Points::from_values((6 * i..6 * i + 6).map(value).collect(), 3);
        let images: Vec<Points<f32>> = (0..6).map(image).collect();
        let weights = weights(&images, 2).unwrap();
        for (position, wanted) in WEIGHTS.iter().enumerate() {
            let found: Vec<f64> = weights[position..].iter().step_by(2).copied().collect();
            agree(&found, wanted, 1e-5);
        }
        let kept = kept(&weights, 0.15);
        assert_eq!((0..12).filter(|i| !kept.contains(i)).collect::<Vec<_>>(), [10]);
        let memory = Points::concat(&images).select(&kept);
        let queries = Points::from_values((0..6).map(|i| (0.4 * f64::from(i)).cos() as f32).collect(), 3);
        let near = nearest(&memory, &queries, 1, false);
        assert_eq!([0, 1].map(|q| kept[near[q].index]), [9, 7]);
        agree(&[0, 1].map(|q| near[q].squared * weights[kept[near[q].index]]), &[1.043863462, 0.346140867], 1e-5);
        assert!(matches!(super::weights(&images[..1], 2), Err(Error::Refused(_))));
    }

    const WEIGHTS: [[f64; 6]; 2] = [
        [0.998812846, 1.169696504, 0.998812846, 1.002379958, 1.169696504, 1.820887828],
        [1.002547522, 0.997465392, 1.168099807, 1.002547522, 0.997465392, 1.168099807],
    ];
}
