//! What is odd about an opened data set: counts that differ from what is known, and data on which no comparison of methods
//! means anything.

mod floors;

use std::collections::HashMap;

use zsad_core::{AnomalySource, Dataset, DatasetInfo, Environment, Modality, Result, SampleRef, Samples, Subset};
use zsad_data::manifest::Expect;

/// Samples of a subset that are looked at; of more, evenly spaced ones.
const ROWS: usize = 500;
/// Samples of a subset that floors are asked about at least, where there are as many.
const FEWEST: usize = 20;
/// Of pictures, which have to be decoded.
const PICTURES: usize = 100;
/// The share of repeated rows that is worth a word.
const REPEATED: f64 = 0.01;
/// A floor below it has the labels against it.
const INVERTED: f64 = 0.4;

/// Everything that is odd, one line each; `expect`: what is known of the data set as a whole.
///
/// # Errors
/// Where samples cannot be read.
pub fn checkup(dataset: &dyn Dataset, expect: Option<&Expect>, env: &Environment) -> Result<Vec<String>> {
    let info = dataset.info();
    let mut odd = expect.map_or(vec![], |expect| counts(dataset, expect));
    if info.anomalies == AnomalySource::OtherDomains && info.domains.iter().filter(|d| d.normal > 0).count() < 2 {
        odd.push("one class only: anomalies are to come from other domains, and there is none".into());
    }
    for (number, domain) in info.domains.iter().enumerate() {
        let mut found = Vec::new();
        let tested = info.folds.iter().any(|f| f.meta_test.contains(&number));
        if info.anomalies == AnomalySource::Genuine && tested && (domain.normal == 0 || domain.anomalous == 0) {
            let (there, not) = if domain.normal == 0 { ("anomalies", "normal") } else { ("normals", "anomalous") };
            found.push(format!("one class only: {there}, and no {not} sample to test"));
        }
        let normal = Looked::at(dataset, number, Subset::Normal)?;
        let anomalous = Looked::at(dataset, number, Subset::Anomalous)?;
        found.extend(constant(dataset, &normal, &anomalous));
        found.extend(repeated(&normal, &anomalous));
        if let (Some(normal), Some(anomalous)) = (&normal.samples, &anomalous.samples) {
            let share = domain.anomalous as f64 / domain.normal as f64;
            found.extend(inverted(&thinned(normal, 1.0 / share), &thinned(anomalous, share), env));
        }
        odd.extend(found.into_iter().map(|what| format!("domain `{}`: {what}", domain.name)));
    }
    Ok(odd)
}

/// Samples of one subset.
struct Looked {
    samples: Option<Samples>,
}

impl Looked {
    fn at(dataset: &dyn Dataset, domain: usize, subset: Subset) -> Result<Self> {
        let info = dataset.info();
        let all: Vec<SampleRef> = SampleRef::all(domain, subset, info.domains[domain].size(subset)).collect();
        let most = if shows_pictures(info) { PICTURES } else { ROWS };
        let refs: Vec<SampleRef> = spread(all.len(), all.len().min(most)).map(|i| all[i]).collect();
        Ok(Looked { samples: if refs.is_empty() { None } else { Some(dataset.gather(&refs)?) } })
    }

    /// The values of each sample.
    fn rows(&self) -> Vec<Vec<u64>> {
        let Some(samples) = &self.samples else { return vec![] };
        let values = samples.to_f64();
        values.chunks_exact(samples.dim().max(1)).map(|row| row.iter().map(|v| v.to_bits()).collect()).collect()
    }
}

fn shows_pictures(info: &DatasetInfo) -> bool {
    matches!(info.modality, Modality::Image { .. })
}

/// Counts that are not those that are known.
fn counts(dataset: &dyn Dataset, expect: &Expect) -> Vec<String> {
    let domains = &dataset.info().domains;
    let samples: usize = domains.iter().map(|d| d.normal + d.anomalous + d.reference).sum();
    let found = [("samples", expect.samples, samples), ("domains", expect.domains, domains.len())];
    let differ = found.into_iter().filter_map(|(what, expected, found)| {
        let expected = expected.filter(|e| *e != found as u64)?;
        Some(format!("{found} {what} instead of {expected}"))
    });
    differ.collect()
}

/// Columns of a table with one value alone; pictures of one colour.
fn constant(dataset: &dyn Dataset, normal: &Looked, anomalous: &Looked) -> Option<String> {
    let rows: Vec<Vec<u64>> = normal.rows().into_iter().chain(anomalous.rows()).collect();
    let (first, n) = (rows.first()?, rows.len());
    if shows_pictures(dataset.info()) {
        let plain = rows.iter().filter(|row| row.iter().all(|v| *v == row[0])).count();
        return (plain > 0).then(|| format!("{plain} of {n} pictures looked at are of one colour"));
    }
    let columns = first.len();
    let same = (0..columns).filter(|&c| rows.iter().all(|row| row.get(c) == first.get(c))).count();
    (n > 1 && same > 0).then(|| format!("{same} of {columns} features are constant in the {n} samples looked at"))
}

/// Rows that are there more than once, and rows that are normal and anomalous at once.
fn repeated(normal: &Looked, anomalous: &Looked) -> Vec<String> {
    let labelled = [(false, normal.rows()), (true, anomalous.rows())];
    let all = labelled.into_iter().flat_map(|(label, rows)| rows.into_iter().map(move |row| (row, label)));
    let (mut seen, mut total, mut again) = (HashMap::<Vec<u64>, [bool; 2]>::new(), 0, 0);
    for (row, label) in all {
        total += 1;
        let labels = seen.entry(row).or_default();
        again += usize::from(labels.contains(&true));
        labels[usize::from(label)] = true;
    }
    let both = seen.values().filter(|labels| **labels == [true; 2]).count();
    let mut found = Vec::new();
    if again as f64 > REPEATED * total as f64 {
        let percent = 100.0 * again as f64 / total as f64;
        found.push(format!("{again} of {total} samples looked at ({percent:.0} %) repeat another"));
    }
    if both > 0 {
        let they = if both == 1 { "1 sample is" } else { &format!("{both} samples are") };
        found.push(format!("{they} both normal and anomalous"));
    }
    found
}

/// So many of the samples as the domain has to one of the others, where it has fewer: floors take the majority for normal,
/// and must meet the majority that there is.
fn thinned(samples: &Samples, share: f64) -> Samples {
    let wanted = ((ROWS as f64 * share) as usize).clamp(FEWEST, ROWS).min(samples.len());
    samples.rows(&spread(samples.len(), wanted).collect::<Vec<_>>())
}

/// `wanted` evenly spaced numbers below `n`.
fn spread(n: usize, wanted: usize) -> impl Iterator<Item = usize> {
    (0..wanted).map(move |i| i * n / wanted)
}

/// Labels that every floor has against it.
fn inverted(normal: &Samples, anomalous: &Samples, env: &Environment) -> Option<String> {
    let floors = floors::aurocs(normal, anomalous, env);
    let least = !floors.is_empty() && floors.iter().all(|(_, auroc)| *auroc < INVERTED);
    least.then(|| {
        let each: Vec<String> = floors.iter().map(|(name, auroc)| format!("{name} {auroc:.2}")).collect();
        format!("labels may be inverted: AUROC of all floors is below {INVERTED} ({})", each.join(", "))
    })
}

#[cfg(test)]
mod tests;
