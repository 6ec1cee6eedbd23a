//! Easy synthetic data: what every method must be able to tell apart.
//!
//! All domains vary inside one smooth subspace, each around its own mean and most along its own direction; genuine
//! anomalies lie around means of their own and leave that subspace. So anomalies are visible inside a batch (the
//! farthest points), to a method that learned to tell a batch's majority from samples of other domains, and to one that
//! learned from other domains what all normals have in common.

use std::f64::consts::PI;

use rand::RngExt;
use zsad_core::rng::{Rng, stream};
use zsad_core::{AnomalySource, Fold, Modality, Result, Samples, Values};
use zsad_data::memory::{InMemory, MemoryDomain};

/// Meta-train domains; three more are tested on.
const TRAIN: usize = 8;
/// Directions of the smooth subspace.
const SMOOTH: usize = 4;
/// Standard deviation of the domains' means along each of them.
const MEANS: f64 = 1.5;

/// Rows of 16 features in double precision.
///
/// # Errors
/// Never, unless the data set itself is at fault.
pub fn tabular() -> Result<InMemory> {
    let basis: Vec<Vec<f64>> = (0..16).map(|r| (0..16).map(|i| cosine(r, i, 16)).collect()).collect();
    family("synthetic_rows", Modality::rows(16), &basis, Values::F64)
}

/// Images of 1×8×8 in single precision.
///
/// # Errors
/// Never, unless the data set itself is at fault.
pub fn images() -> Result<InMemory> {
    let mut waves: Vec<(usize, usize)> = (0..64).map(|k| (k / 8, k % 8)).collect();
    waves.sort_by_key(|&(u, v)| (u + v, u));
    let wave = |(u, v)| (0..64).map(move |i| cosine(u, i / 8, 8) * cosine(v, i % 8, 8)).collect();
    let basis: Vec<Vec<f64>> = waves.into_iter().map(wave).collect();
    let single = |values: Vec<f64>| Values::F32(values.into_iter().map(|x| (0.5 + 0.25 * x) as f32).collect());
    family("synthetic_images", Modality::Image { channels: 1, height: 8, width: 8 }, &basis, single)
}

/// Value `i` of the `k`-th orthonormal cosine of length `n` (DCT-II).
fn cosine(k: usize, i: usize, n: usize) -> f64 {
    let norm = if k == 0 { 1.0 } else { 2.0 };
    (norm / n as f64).sqrt() * (PI * k as f64 * (i as f64 + 0.5) / n as f64).cos()
}

fn family(name: &str, modality: Modality, basis: &[Vec<f64>], store: impl Fn(Vec<f64>) -> Values) -> Result<InMemory> {
    let domain = |j: usize| {
        let mut rng = stream(0, &[("purpose", "synthetic"), ("set", name), ("domain", &j.to_string())]);
        let mean: Vec<f64> = (0..SMOOTH).map(|_| MEANS * normal(&mut rng)).collect();
        let mut samples = |n: usize, anomalous: bool| {
            let rows: Vec<f64> = (0..n).flat_map(|_| row(&mut rng, basis, &mean, j, anomalous)).collect();
            Samples::new(modality.shape(), store(rows))
        };
        MemoryDomain {
            name: format!("domain {j}"),
            normal: samples(80, false),
            anomalous: Some(samples(24, true)),
            reference: Some(samples(32, false)),
        }
    };
    let fold = Fold { name: String::new(), meta_train: (0..TRAIN).collect(), meta_test: (TRAIN..TRAIN + 3).collect() };
    let domains = (0..TRAIN + 3).map(domain).collect();
    InMemory::new(name, modality.clone(), domains, vec![fold], AnomalySource::Genuine)
}

/// One sample: smooth variation around the domain's mean, or an anomaly's own, a little noise everywhere, and for an
/// anomaly twice as much variation along the less smooth half of the basis.
fn row(rng: &mut Rng, basis: &[Vec<f64>], mean: &[f64], domain: usize, anomalous: bool) -> Vec<f64> {
    let half = basis.len() / 2;
    let rough = 2.0 * (2.0 * SMOOTH as f64 / half as f64).sqrt();
    let weights: Vec<f64> = (0..basis.len())
        .map(|r| {
            let scale = match r {
                r if r < SMOOTH && r == domain % SMOOTH => 1.2,
                r if r < SMOOTH => 0.4,
                r if r >= half && anomalous => rough,
                _ => 0.1,
            };
            let mean = match mean.get(r) {
                Some(_) if anomalous => MEANS * normal(rng),
                Some(mean) => *mean,
                None => 0.0,
            };
            mean + scale * normal(rng)
        })
        .collect();
    (0..basis.len()).map(|i| basis.iter().zip(&weights).map(|(b, w)| b[i] * w).sum()).collect()
}

/// A standard normal deviate (Box and Muller).
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (2.0 * PI * rng.random::<f64>()).cos()
}
