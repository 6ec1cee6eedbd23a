//! What the scores of a batch rest on.

use std::io::Write;

use zsad_core::{DatasetInfo, MethodSpec, Modality, Supervision};

use super::features::Features;

/// Samples and features shown.
const SHOWN: usize = 5;

/// Prints the assumption behind the scores, their spread, and the samples that stand out, with their `names` if they have
/// some.
pub fn print(
    spec: &MethodSpec,
    setting: Supervision,
    info: &DatasetInfo,
    features: &Features,
    scores: &[f64],
    names: Option<&[String]>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let basis = match setting {
        Supervision::InBatch => "fits on this batch alone, and takes most of it to be normal",
        Supervision::ZeroShot => {
            "was trained elsewhere; takes its statistics from this batch, and most of it to be normal"
        }
        Supervision::FewShot => "compares with normal references of the target",
        Supervision::FewLabel => "is told the labels of a few samples of the batch",
        Supervision::OneClass => "was trained on normal samples of the target",
    };
    writeln!(out, "{} ({setting}) {basis}", spec.name)?;
    writeln!(out, "{} samples of shape {:?}", scores.len(), info.modality.shape())?;
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    let quantile = |q: f64| scores[order[((1.0 - q) * (order.len() - 1) as f64).round() as usize]];
    writeln!(out, "scores: median {:.4}, 90 % {:.4}, greatest {:.4}", quantile(0.5), quantile(0.9), quantile(1.0))?;
    features.statistics(&info.modality, out)?;
    for &i in order.iter().take(SHOWN) {
        let name = names.map_or(String::new(), |names| format!(" ({})", names[i]));
        write!(out, "  sample {i}{name}: {:.4}", scores[i])?;
        if let Modality::Tabular { .. } = info.modality {
            write!(out, "  ({})", features.deviations(i, SHOWN))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
