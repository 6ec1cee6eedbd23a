//! Scores smoothed over images that resemble each other (RsCIN and RsCon).

use zsad_core::{Result, Scores};

use super::{MuSc, Rescore, Whole};
use crate::families::features::View;

/// The images' scores after smoothing; before, they are the maxima of their maps.
pub(super) fn rescored(params: &MuSc, whole: Whole, batch: &View, scores: &Scores) -> Result<Vec<f64>> {
    let embeddings = match params.rescore {
        Rescore::None => return Ok(scores.samples.clone()),
        Rescore::Mean => wholes(whole, batch)?,
        Rescore::Salient => salient(batch, scores)?,
    };
    Ok(smoothed(&embeddings, &scores.samples, &params.rescore_k))
}

/// What stands for every image, at the last layer.
fn wholes(whole: Whole, batch: &View) -> Result<Vec<Vec<f64>>> {
    let last = batch.store().shapes().len() - 1;
    let mean = |plane: &[f32]| plane.iter().map(|&v| f64::from(v)).sum::<f64>() / plane.len() as f64;
    let of = |&id| {
        let (shape, map) = batch.store().get(id)?.layer(last);
        let values: Vec<f64> = map.chunks_exact(shape.positions()).map(mean).collect();
        Ok(if whole == (Whole::Class { unit: false }) { values } else { unit(values) })
    };
    batch.ids().iter().map(of).collect()
}

/// The feature at the last layer where an image's map is greatest.
fn salient(batch: &View, scores: &Scores) -> Result<Vec<Vec<f64>>> {
    let last = batch.store().shapes().len() - 1;
    let (height, width) = batch.image();
    let maps = scores.maps.iter().flat_map(|maps| maps.values.chunks_exact(height * width));
    let of = |(&id, map): (_, &[f32])| {
        let at = (0..map.len()).fold(0, |best, i| if map[i] > map[best] { i } else { best });
        let (shape, values) = batch.store().get(id)?.layer(last);
        // Corners are aligned: the nearest position.
        let nearest = |pixel: usize, pixels: usize, positions: usize| match pixels {
            0 | 1 => 0,
            _ => (2 * pixel * (positions - 1) + pixels - 1) / (2 * (pixels - 1)),
        };
        let (y, x) = (nearest(at / width, height, shape.height), nearest(at % width, width, shape.width));
        let position = y * shape.width + x;
        Ok(unit(values[position..].iter().step_by(shape.positions()).map(|&v| f64::from(v)).collect()))
    };
    batch.ids().iter().zip(maps).map(of).collect()
}

fn unit(values: Vec<f64>) -> Vec<f64> {
    let norm = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    if norm > 0.0 { values.into_iter().map(|v| v / norm).collect() } else { values }
}

/// Scores scaled to 0 … 1 and averaged over each image's k most similar ones, itself among them, in proportion to their cosine; the
/// mean over the `ks`. Scores that are all equal stay equal.
fn smoothed(embeddings: &[Vec<f64>], scores: &[f64], ks: &[usize]) -> Vec<f64> {
    let (least, most) = scores.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, m), &s| (l.min(s), m.max(s)));
    let range = if most > least { most - least } else { 1.0 };
    let scaled: Vec<f64> = scores.iter().map(|s| (s - least) / range).collect();
    let smooth = |own: &Vec<f64>| {
        let cosine = |other: &Vec<f64>| own.iter().zip(other).map(|(a, b)| a * b).sum::<f64>();
        let mut similar: Vec<(f64, f64)> = embeddings.iter().map(cosine).zip(scaled.iter().copied()).collect();
        // Equal ones by their scores, so that the order of the batch makes no difference.
        similar.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)));
        let mean = |&k: &usize| {
            let near = &similar[..k.min(similar.len())];
            let weight: f64 = near.iter().map(|(w, _)| w).sum();
            // Features that point apart may cancel: then the nearest alone counts.
            if weight > 0.0 { near.iter().map(|(w, s)| w * s).sum::<f64>() / weight } else { near[0].1 }
        };
        ks.iter().map(mean).sum::<f64>() / ks.len() as f64
    };
    embeddings.iter().map(smooth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::testing::agree;

    // import numpy as np
    // e = np.cos(.6 * np.arange(12)).reshape(4, 3); e /= np.linalg.norm(e, axis=1, keepdims=True); w = e @ e.T
    // c = np.array([.2, .9, .5, .4]); c = (c - c.min()) / (c.max() - c.min())
    // def s(k): v = np.where(w >= np.sort(w, 1)[:, -k][:, None], w, 0); return v / v.sum(1, keepdims=True) @ c
    // print((s(1) + s(2)) / 2)
    #[test]
    fn smoothing_is_numpys() {
        let rows = (0..4).map(|i| unit((0..3).map(|j| (0.6 * f64::from(3 * i + j)).cos()).collect()));
        let scores = smoothed(&rows.collect::<Vec<_>>(), &[0.2, 0.9, 0.5, 0.4], &[1, 2]);
        agree(&scores, &[0.066933836, 0.922569457, 0.506001972, 0.21878045], 1e-8);
    }

    #[test]
    fn equal_scores_stay_equal() {
        let rows = [vec![1.0, 0.0], vec![0.0, 1.0], vec![-1.0, 0.0]];
        assert_eq!(smoothed(&rows, &[3.0; 3], &[1, 7]), [0.0; 3]);
    }
}
