//! The samples of a batch as plain numbers.

use std::io::{self, Write};

use rayon::prelude::*;
use zsad_core::{Dataset, Modality, SampleRef, Samples, Subset, Values};
use zsad_data::memory::InMemory;

/// Features that vary most, of which the statistics are shown.
const SHOWN: usize = 5;
/// Rows that are summed by themselves.
const BLOCK: usize = 4096;
/// Steps of the power iteration: enough to see two groups, for which few do.
const ITERATIONS: usize = 30;

/// The statistics that the batch itself gives, and what a sample deviates from them by. They describe the data;
/// methods may weigh otherwise.
pub struct Features {
    /// Their names; empty where they have none.
    names: Vec<String>,
    /// The batch's own, shared where they are in double precision.
    samples: Samples,
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
        let samples = match batch.gather(&refs)? {
            double if matches!(double.values(), Values::F64(_)) => double,
            single => Samples::new(single.shape().to_vec(), Values::F64(single.into_f64())),
        };
        let (dim, values) = (samples.dim(), samples.to_f64());
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
        drop(values);
        Ok(Features { names: names.to_vec(), samples, means, deviations })
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
        let values = self.samples.to_f64();
        let z = |j: usize| (values[i * dim + j] - self.means[j]) / self.deviations[j];
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
        let scale = |d: &f64| if standardised && *d > 0.0 { 1.0 / d } else { 1.0 };
        let scales: Vec<f64> = self.deviations.iter().map(scale).collect();
        let values = self.samples.to_f64();
        let blocks = || values.par_chunks(BLOCK * dim);
        // Rows are centred again in every pass: a table of a million rows is not held a second time.
        let centred = |row: &[f64], z: &mut [f64]| {
            for (j, z) in z.iter_mut().enumerate() {
                *z = (row[j] - self.means[j]) * scales[j];
            }
        };
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let norm = |row: &[f64]| dot(row, row).sqrt();
        // The sample farthest from the mean is nowhere near orthogonal to the direction.
        let mut direction = vec![0.0; dim];
        let lengths = values.chunks(dim).map(|row| {
            centred(row, &mut direction);
            norm(&direction)
        });
        let farthest = lengths.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(i, _)| i);
        centred(&values[farthest * dim..], &mut direction);
        for _ in 0..ITERATIONS {
            // The sums of blocks add up in their order, whoever computed them.
            let sum = |rows: &[f64]| {
                let (mut z, mut sum) = (vec![0.0; dim], vec![0.0; dim]);
                for row in rows.chunks(dim) {
                    centred(row, &mut z);
                    let along = dot(&z, &direction);
                    sum.iter_mut().zip(&z).for_each(|(sum, z)| *sum += along * z);
                }
                sum
            };
            let mut next = vec![0.0; dim];
            for sum in blocks().map(sum).collect::<Vec<_>>() {
                next.iter_mut().zip(sum).for_each(|(next, sum)| *next += sum);
            }
            direction = next;
            let length = norm(&direction);
            if length == 0.0 {
                break;
            }
            direction.iter_mut().for_each(|d| *d /= length);
        }
        let along = |rows: &[f64]| {
            let mut z = vec![0.0; dim];
            let along = |row: &[f64]| {
                centred(row, &mut z);
                dot(&z, &direction)
            };
            rows.chunks(dim).map(along).collect::<Vec<_>>()
        };
        blocks().flat_map_iter(along).collect()
    }
}

/// What feature number `k` is called in messages.
pub fn name(names: &[String], k: usize) -> String {
    names.get(k).map_or_else(|| format!("feature {k}"), |name| format!("`{name}`"))
}
