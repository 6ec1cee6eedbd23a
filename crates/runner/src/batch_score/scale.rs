//! The scale of a table's features, and what is said of it.

use std::io::Write;

use zsad_core::{Modality, Preprocessing, Samples, Scaling, Standardise};

use super::features::name;
use super::own::Own;
use crate::commands::note;

/// Standard deviations that differ by more than this are worth a warning.
const RATIO: f64 = 100.0;

/// The scale of the samples: that of the training where there was one (`Some`) and what it learnt is known, else the one
/// that is `wanted`. A table's is said, and what is doubtful about it.
///
/// # Errors
/// Where nothing can be written to `out`.
pub fn settle(
    trained: Option<Option<&Preprocessing>>,
    wanted: Option<Standardise>,
    own: &Own,
    out: &mut impl Write,
) -> std::io::Result<Scaling> {
    let Modality::Tabular { .. } = own.modality else { return Ok(Scaling::None) };
    let learnt = trained.flatten();
    let scaling = match (learnt, wanted) {
        (Some(learnt), _) => learnt.scaling.clone(),
        (None, Some(Standardise::Batch)) => Scaling::Batch,
        (None, _) => Scaling::None,
    };
    if trained.is_some() && learnt.is_none() {
        note(
            "warning: the model says nothing of its training's columns and their scale (older models and those of other \
             programs do not): all columns are taken as they are, in their order",
        );
    } else {
        writeln!(out, "{}", said(&scaling, trained.is_some()))?;
    }
    let far = learnt.and_then(|l| l.pool.as_ref()).and_then(|pool| own.far_off(pool));
    let unlike = unlike(&scaling, &own.samples, &own.features, trained.is_some());
    far.iter().chain(&unlike).for_each(|doubt| note(format_args!("warning: {doubt}")));
    Ok(scaling)
}

/// The scale that a table's features are brought to, in one line.
fn said(scaling: &Scaling, trained: bool) -> String {
    let what = match scaling.how() {
        Standardise::None => "numbers as they are",
        Standardise::Pool => "mean 0 and standard deviation 1 over the training rows",
        Standardise::Batch => "mean 0 and standard deviation 1 over the batch",
        Standardise::SignedLog => "as pool, and then the signed logarithm",
        Standardise::Rank => "the place among the training rows",
    };
    let by = if trained { ", as the model was trained" } else { "" };
    format!("scale: {}: {what}{by}", scaling.how())
}

/// A sentence on features whose standard deviations are of very different size, where values are as they are.
fn unlike(scaling: &Scaling, samples: &Samples, features: &[String], trained: bool) -> Option<String> {
    if *scaling != Scaling::None || samples.is_empty() {
        return None;
    }
    let (n, dim, x) = (samples.len() as f64, samples.dim(), samples.to_f64());
    let column = |k: usize| x.iter().skip(k).step_by(dim);
    let sd = |k: usize| {
        let mean = column(k).sum::<f64>() / n;
        (column(k).map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()
    };
    let deviations: Vec<(usize, f64)> = (0..dim).map(|k| (k, sd(k))).filter(|(_, sd)| *sd > 0.0).collect();
    let least = deviations.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let most = deviations.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let ratio = most.1 / least.1;
    let hint = if trained { "train on data with `standardise: pool`" } else { "--standardise batch" };
    (ratio > RATIO).then(|| {
        format!(
            "the standard deviation of {} is {ratio:.0} times that of {}: whatever compares distances sees the widest \
             features alone; hint: {hint}",
            name(features, most.0),
            name(features, least.0)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use zsad_core::Values;

    #[test]
    fn a_wide_feature_beside_a_narrow_one_is_named() {
        let samples = |wide: f64| Samples::new(vec![3], Values::F64(vec![0.0, 0.0, 5.0, wide, 1.0, 5.0]));
        let names = ["bytes", "share", "constant"].map(String::from);
        let said = unlike(&Scaling::None, &samples(101.0), &names, false).unwrap();
        assert!(
            said.contains("`bytes` is 101 times that of `share`") && said.contains("--standardise batch"),
            "{said}"
        );
        assert_eq!(unlike(&Scaling::None, &samples(99.0), &names, false), None);
        assert_eq!(unlike(&Scaling::Batch, &samples(1e9), &names, false), None);
    }
}
