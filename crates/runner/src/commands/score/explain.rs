//! What the scores of a batch rest on.

use std::io::{self, Write};

use zsad_core::{Dataset, Kind, MethodSpec, Pool, SampleRef, Setting};
use zsad_data::memory::InMemory;

/// Samples and features shown.
const SHOWN: usize = 5;

/// Prints the assumption behind the scores, their spread, and the samples that stand out.
pub fn print(
    spec: &MethodSpec,
    setting: Setting,
    batch: &InMemory,
    scores: &[f64],
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let info = batch.info();
    let basis = match setting {
        Setting::InBatch => "fits on this batch alone, and takes most of it to be normal",
        Setting::ZeroShot => "was trained elsewhere; takes its statistics from this batch, and most of it to be normal",
        Setting::FewShot => "compares with normal references of the target",
        Setting::OneClass => "was trained on normal samples of the target",
    };
    writeln!(out, "{} ({setting}) {basis}", spec.name)?;
    writeln!(out, "{} samples of shape {:?}", scores.len(), info.kind.shape())?;
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    let quantile = |q: f64| scores[order[((1.0 - q) * (order.len() - 1) as f64).round() as usize]];
    writeln!(out, "scores: median {:.4}, 90 % {:.4}, greatest {:.4}", quantile(0.5), quantile(0.9), quantile(1.0))?;
    let features = Features::new(batch)?;
    features.statistics(&info.kind, out)?;
    for &i in order.iter().take(SHOWN) {
        write!(out, "  sample {i}: {:.4}", scores[i])?;
        if let Kind::Tabular { .. } = info.kind {
            features.deviations(i, out)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The statistics that the batch itself gives, and what a sample deviates from them by. They describe the data;
/// methods may weigh otherwise.
struct Features {
    values: Vec<f64>,
    means: Vec<f64>,
    deviations: Vec<f64>,
}

impl Features {
    fn new(batch: &InMemory) -> zsad_core::Result<Self> {
        let n = batch.info().domains[0].normal;
        let refs: Vec<_> = (0..n as u32).map(|index| SampleRef { domain: 0, pool: Pool::Normal, index }).collect();
        let samples = batch.gather(&refs)?;
        let (values, dim) = (samples.to_f64().into_owned(), samples.dim());
        let column = |j: usize| values.iter().skip(j).step_by(dim);
        let means: Vec<f64> = (0..dim).map(|j| column(j).sum::<f64>() / n as f64).collect();
        let variance = |j: usize| column(j).map(|v| (v - means[j]).powi(2)).sum::<f64>() / n as f64;
        let deviations = (0..dim).map(|j| variance(j).sqrt()).collect();
        Ok(Features { values, means, deviations })
    }

    /// Mean and standard deviation over the batch: of every channel of images, and of the features that vary most.
    fn statistics(&self, kind: &Kind, out: &mut impl Write) -> io::Result<()> {
        match *kind {
            Kind::Image { channels, .. } => {
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
            Kind::Tabular { dim } => {
                let constant = self.deviations.iter().filter(|&&d| d == 0.0).count();
                writeln!(
                    out,
                    "batch statistics of {dim} features, {constant} of them constant; those that vary most:"
                )?;
                let mut order: Vec<usize> = (0..dim).collect();
                order.sort_by(|&a, &b| self.deviations[b].total_cmp(&self.deviations[a]));
                for &j in order.iter().take(SHOWN) {
                    writeln!(out, "  feature {j}: mean {:.4}, sd {:.4}", self.means[j], self.deviations[j])?;
                }
            }
        }
        Ok(())
    }

    /// The features of sample `i` farthest from their mean, in standard deviations of the batch.
    fn deviations(&self, i: usize, out: &mut impl Write) -> io::Result<()> {
        let dim = self.means.len();
        let z = |j: usize| (self.values[i * dim + j] - self.means[j]) / self.deviations[j];
        let mut varying: Vec<usize> = (0..dim).filter(|&j| self.deviations[j] > 0.0).collect();
        varying.sort_by(|&a, &b| z(b).abs().total_cmp(&z(a).abs()));
        let shown = varying.iter().take(SHOWN);
        let shown: Vec<String> = shown.map(|&j| format!("feature {j} {:+.1} sd", z(j))).collect();
        write!(out, "  ({})", shown.join(", "))
    }
}
