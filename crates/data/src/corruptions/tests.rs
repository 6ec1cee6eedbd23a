//! Parity with other libraries, and the statistics of the random draws.

use std::path::Path;

use super::*;
use crate::formats::npz::Npz;

/// The draws of `scripts/golden_corruptions.py`.
struct Formula(u32);

impl Draws for Formula {
    fn uniform(&mut self) -> f64 {
        let x = 0.1 + f64::from(self.0) * 0.618_033_988_749_894_9;
        self.0 += 1;
        x - x.floor()
    }

    fn normal(&mut self) -> f64 {
        4.0 * self.uniform() - 2.0
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        (mean + mean.sqrt() * self.normal()).floor().max(0.0)
    }
}

fn golden(name: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/corruptions.npz");
    let array = Npz::open(Path::new(path)).unwrap().array(name).unwrap();
    array.into_f64().into_iter().map(|v| v as u8).collect()
}

#[test]
fn given_the_draws_every_corruption_equals_the_other_libraries() {
    let clean = golden("clean");
    let mut failures = Vec::new();
    for corruption in CORRUPTIONS {
        let expected = golden(corruption.name);
        for (severity, expected) in [1, 3, 5].into_iter().zip(expected.chunks_exact(LEN)) {
            let out = corruption.with_draws(&clean, severity, &mut Formula(0));
            let differences: Vec<u8> = out.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).collect();
            if let Some(max) = differences.iter().copied().max().filter(|d| *d > 0) {
                let count = differences.iter().filter(|d| **d > 0).count();
                failures.push(format!("{} at {severity}: {count} values differ, by up to {max}", corruption.name));
            }
            assert_ne!(out, clean, "{} at {severity} changes nothing", corruption.name);
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Mean and variance of one corruption's output on many uniformly grey pictures.
fn moments(name: &str, severity: usize, grey: u8) -> (f64, f64) {
    let corruption = find(name).unwrap();
    let values: Vec<f64> = (0..40).flat_map(|i| corruption.apply(&[grey; LEN], severity, i)).map(f64::from).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64)
}

/// The noise has the published scale. Bytes are cut off, which takes half a grey level from the mean and adds 1/12 to
/// the variance; 122,880 draws leave a standard error below 0.1 grey levels and 0.5 % of the variance.
#[test]
fn noise_has_the_published_moments() {
    let cut = |variance: f64| variance + 1.0 / 12.0;
    let x = 120.0 / 255.0;
    for (name, severity, mean, variance) in [
        ("gaussian_noise", 1, 120.0, (0.04_f64 * 255.0).powi(2)),
        ("gaussian_noise", 5, 120.0, (0.10_f64 * 255.0).powi(2)),
        ("shot_noise", 2, 120.0, x / 250.0 * 255.0 * 255.0),
        ("shot_noise", 5, 120.0, x / 50.0 * 255.0 * 255.0),
        ("speckle_noise", 4, 120.0, (0.16_f64 * 120.0).powi(2)),
    ] {
        let (m, v) = moments(name, severity, 120);
        assert!((m - (mean - 0.5)).abs() < 0.4, "{name} at {severity}: mean {m}");
        assert!((v / cut(variance) - 1.0).abs() < 0.03, "{name} at {severity}: variance {v}, not {variance}");
    }
    let impulse = find("impulse_noise").unwrap();
    let out: Vec<u8> = (0..40).flat_map(|i| impulse.apply(&[120; LEN], 5, i)).collect();
    let share = |v: u8| out.iter().filter(|x| **x == v).count() as f64 / out.len() as f64;
    assert!((share(0) - 0.035).abs() < 0.003 && (share(255) - 0.035).abs() < 0.003);
    assert!((share(120) - 0.93).abs() < 0.004);
    assert!(find("shot_noise").unwrap().apply(&[0; LEN], 3, 0).iter().all(|v| *v == 0), "black has no photons");
}

#[test]
fn draws_belong_to_the_corruption_the_severity_and_the_image() {
    let clean = golden("clean");
    let noise = find("gaussian_noise").unwrap();
    let first = noise.apply(&clean, 2, 7);
    noise.apply(&clean, 2, 8);
    assert_eq!(first, noise.apply(&clean, 2, 7));
    assert_ne!(first, noise.apply(&clean, 2, 8));
    let fog = find("fog").unwrap();
    assert_ne!(fog.apply(&clean, 3, 0), fog.apply(&clean, 3, 1));
}

#[test]
fn names_are_sorted_and_found() {
    assert!(CORRUPTIONS.is_sorted_by(|a, b| a.name < b.name));
    assert!(find("frost").is_none());
}
