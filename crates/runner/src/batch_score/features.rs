//! The samples of a batch as plain numbers.

use std::io::{self, Write};

use rayon::prelude::*;
use zsad_core::{Dataset, Modality, SampleRef, Subset};
use zsad_data::memory::InMemory;

/// Features that vary most, of which the statistics are shown.
const SHOWN: usize = 5;
/// Steps of the power iteration: enough to see two groups, for which few do.
const ITERATIONS: usize = 30;

/// The statistics that the batch itself gives, and what a sample deviates from them by. They describe the data;
/// methods may weigh otherwise.
pub struct Features {
    /// Their names; empty where they have none.
    names: Vec<String>,
    values: Vec<f64>,
    means: Vec<f64>,
    deviations: Vec<f64>,
}

impl Features {
    /// Of all samples of a batch; `names` are those of a table's features, or none.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn new(batch: &InMemory, names: &[String]) -> zsad_core::Result<Self> {
        let n = batch.info().domains[0].normal;
        let refs: Vec<_> = SampleRef::all(0, Subset::Normal, n).collect();
        let samples = batch.gather(&refs)?;
        let dim = samples.dim();
        let values = samples.into_f64();
        // Row by row: a picture has more features than a cache holds lines.
        let mean_of = |value: &dyn Fn(usize, f64) -> f64| {
            let mut sums = vec![0.0; dim];
            for row in values.chunks(dim) {
                sums.iter_mut().zip(row).enumerate().for_each(|(j, (sum, v))| *sum += value(j, *v));
            }
            sums.iter_mut().for_each(|sum| *sum /= n as f64);
            sums
        };
        let means = mean_of(&|_, v| v);
        let deviations = mean_of(&|j, v| (v - means[j]).powi(2)).into_iter().map(f64::sqrt).collect();
        Ok(Features { names: names.to_vec(), values, means, deviations })
    }

    /// Mean and standard deviation over the batch: of every channel of images, and of the features that vary most.
    pub fn statistics(&self, modality: &Modality, out: &mut impl Write) -> io::Result<()> {
        match *modality {
            Modality::Image { channels, .. } => {
                let plane = self.means.len() / channels;
                for c in 0..channels {
                    let at = c * plane..(c + 1) * plane;
                    let mean = self.means[at.clone()].iter().sum::<f64>() / plane as f64;
                    // The variance over samples and space is that within the pixels and that between their means.
                    let within = self.deviations[at.clone()].iter().map(|d| d * d).sum::<f64>() / plane as f64;
                    let between = self.means[at].iter().map(|m| (m - mean).powi(2)).sum::<f64>() / plane as f64;
                    writeln!(
                        out,
                        "batch statistics of channel {c}: mean {mean:.4}, sd {:.4}",
                        (within + between).sqrt()
                    )?;
                }
            }
            Modality::Tabular { dim, .. } => {
                let constant = self.deviations.iter().filter(|&&d| d == 0.0).count();
                writeln!(
                    out,
                    "batch statistics of {dim} features, {constant} of them constant; those that vary most:"
                )?;
                let mut order: Vec<usize> = (0..dim).collect();
                order.sort_by(|&a, &b| self.deviations[b].total_cmp(&self.deviations[a]));
                for &j in order.iter().take(SHOWN) {
                    let name = name(&self.names, j);
                    writeln!(out, "  {name}: mean {:.4}, sd {:.4}", self.means[j], self.deviations[j])?;
                }
            }
        }
        Ok(())
    }

    /// The features of sample `i` farthest from their mean, in standard deviations of the batch: at most `n`, in words.
    pub fn deviations(&self, i: usize, n: usize) -> String {
        let dim = self.means.len();
        let z = |j: usize| (self.values[i * dim + j] - self.means[j]) / self.deviations[j];
        let mut varying: Vec<usize> = (0..dim).filter(|&j| self.deviations[j] > 0.0).collect();
        varying.sort_by(|&a, &b| z(b).abs().total_cmp(&z(a).abs()));
        let shown: Vec<String> =
            varying.iter().take(n).map(|&j| format!("{} {:+.1} sd", name(&self.names, j), z(j))).collect();
        shown.join(", ")
    }

    /// Every sample along the direction in which the batch varies most (the first principal component of features in
    /// standard deviations, or of pixels as they are), found by power iteration.
    pub fn along_main_direction(&self, modality: &Modality) -> Vec<f64> {
        let dim = self.means.len();
        let standardised = matches!(modality, Modality::Tabular { .. });
        let scale = |j: usize| if standardised && self.deviations[j] > 0.0 { self.deviations[j] } else { 1.0 };
        let centred = |(k, v): (usize, &f64)| (v - self.means[k % dim]) / scale(k % dim);
        let z: Vec<f64> = self.values.iter().enumerate().map(centred).collect();
        let project = |v: &[f64]| -> Vec<f64> {
            z.par_chunks(dim).map(|row| row.iter().zip(v).map(|(a, b)| a * b).sum()).collect()
        };
        let norm = |row: &[f64]| row.iter().map(|v| v * v).sum::<f64>().sqrt();
        // The sample farthest from the mean is nowhere near orthogonal to the direction.
        let farthest = z.chunks(dim).max_by(|a, b| norm(a).total_cmp(&norm(b)));
        let mut direction = farthest.unwrap_or(&[]).to_vec();
        for _ in 0..ITERATIONS {
            let along = project(&direction);
            direction = vec![0.0; dim];
            for (row, a) in z.chunks(dim).zip(&along) {
                direction.iter_mut().zip(row).for_each(|(d, v)| *d += a * v);
            }
            let length = norm(&direction);
            if length == 0.0 {
                break;
            }
            direction.iter_mut().for_each(|d| *d /= length);
        }
        project(&direction)
    }
}

/// What feature number `k` is called in messages.
pub fn name(names: &[String], k: usize) -> String {
    names.get(k).map_or_else(|| format!("feature {k}"), |name| format!("`{name}`"))
}
