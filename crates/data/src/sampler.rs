//! The sampling of test batches, references and training tasks.
//!
//! Every draw comes from a stream that is named by the data set, the fold, the domain, the protocol point and a
//! number, never by the method: all methods see the same batches, whatever ran before and on however many threads.

mod candidates;
mod set_aside;
mod tasks;
#[cfg(test)]
mod tests;

use rand::seq::SliceRandom;
use zsad_core::protocol::BatchCounts;
use zsad_core::rng::stream;
use zsad_core::{
    AnomalySource, Contamination, Dataset, DatasetInfo, Error, Fold, LabelledBatch, Result, SampleRef, Shots, Subset,
    TestPoint,
};

use candidates::Candidates;
pub use set_aside::set_aside;
pub use tasks::{OutlierSource, Task, TaskProtocol, TaskSampler};

/// The test batches of one meta-test domain at one protocol point: `point.n_batches` of them, each drawn without
/// replacement.
///
/// Those that are [`set_aside`] are in none of them. With `anomaly_kinds` the anomalies are so many different samples, repeated; see [`crate::copies::Copies`].
///
/// A batch depends on the data set's name, the fold's and the domain's names, the point's size, contamination and
/// least number of anomalies, the seed, and its own number; so the first batches stay the same when more are asked for.
///
/// # Errors
/// [`Error::Refused`] where the domain has too few normals or anomalies.
pub fn test_batches(
    dataset: &dyn Dataset,
    fold: &Fold,
    domain: usize,
    point: &TestPoint,
    seed: u64,
) -> Result<Vec<LabelledBatch<SampleRef>>> {
    let info = dataset.info();
    let this = &info.domains[domain];
    let counts = counts(info, fold, domain, point)?;
    let (normals, anomalies) = candidates(info, fold, domain);
    let anomalies = anomalies.without(&set_aside(info, domain, point, seed));
    let point_name = point_name(point);
    Ok((0..point.n_batches as u32)
        .map(|number| {
            let mut rng = stream(
                seed,
                &[
                    ("purpose", "test_batch"),
                    ("dataset", &info.name),
                    ("fold", &fold.name),
                    ("domain", &this.name),
                    ("point", &point_name),
                    ("batch", &number.to_string()),
                ],
            );
            let mut batch: Vec<_> = normals.draw(&mut rng, counts.normal).into_iter().map(|r| (r, false)).collect();
            let drawn = anomalies.draw(&mut rng, counts.anomalous);
            // The first of those that a batch of different ones would hold, again and again.
            let kinds = point.anomaly_kinds.unwrap_or(drawn.len());
            batch.extend((0..drawn.len()).map(|i| (drawn[i % kinds.max(1)], true)));
            batch.shuffle(&mut rng);
            let (items, labels) = batch.into_iter().unzip();
            LabelledBatch { domain: this.name.clone(), number, items, labels }
        })
        .collect())
}

/// What the streams of batches know of a point: whatever else of it differs, the batches are the same.
pub fn point_name(point: &TestPoint) -> String {
    serde_json::json!([point.size, point.contamination, point.min_anomalies]).to_string()
}

/// What one batch of a meta-test domain holds at a point.
///
/// # Errors
/// [`Error::Refused`] where the domain has too few normals or anomalies, or natural contamination has no labels to go by.
pub fn counts(info: &DatasetInfo, fold: &Fold, domain: usize, point: &TestPoint) -> Result<BatchCounts> {
    if info.anomalies == AnomalySource::OtherDomains && point.contamination == Contamination::Natural {
        let why = "`natural` contamination wants data whose own anomalies are labelled";
        let hint = "give a share such as 0.05 (anomalies are then normals of other domains), or name the column of labels; \
                    `zsad score` scores what has none";
        return Err(Error::refused(format!("{}: {why}; hint: {hint}", info.name)));
    }
    let (normals, anomalies) = candidates(info, fold, domain);
    let from = match info.anomalies {
        AnomalySource::Genuine => "anomalies are the domain's genuine ones",
        AnomalySource::OtherDomains => "anomalies are normals of the other meta-test domains",
    };
    let refused = |e| Error::refused(format!("{}, domain `{}`: {e}; {from}", info.name, info.domains[domain].name));
    let left = set_aside::left(info, anomalies.total, point).map_err(refused)?;
    point.counts(normals.total, left).map_err(refused)
}

/// The normals and the anomalies that batches of a domain are drawn from.
fn candidates(info: &DatasetInfo, fold: &Fold, domain: usize) -> (Candidates, Candidates) {
    let this = &info.domains[domain];
    let anomalies = match info.anomalies {
        AnomalySource::Genuine => Candidates::new([(domain, this.anomalous)], Subset::Anomalous),
        AnomalySource::OtherDomains => {
            let others = fold.meta_test.iter().filter(|&&d| d != domain);
            Candidates::new(others.map(|&d| (d, info.domains[d].normal)), Subset::Normal)
        }
    };
    (Candidates::new([(domain, this.normal)], Subset::Normal), anomalies)
}

/// Normal references of a domain: the first of those that a person has listed ([`Dataset::listed_references`]), or else in a
/// random order fixed by (domain, seed), from its reference pool where it has one, else from its normals, passing over those
/// in `batch`. Fewer references are a prefix of more.
///
/// # Errors
/// [`Error::Refused`] where there are fewer than `shots`, or none.
pub fn support(
    dataset: &dyn Dataset,
    domain: usize,
    shots: Shots,
    seed: u64,
    batch: &[SampleRef],
) -> Result<Vec<SampleRef>> {
    let info = dataset.info();
    let this = &info.domains[domain];
    let subset = if this.reference > 0 { Subset::Reference } else { Subset::Normal };
    let mut order = match dataset.listed_references(domain) {
        Some(listed) => listed.to_vec(),
        None => {
            let candidates = Candidates::new([(domain, this.size(subset))], subset);
            let axes = [("purpose", "references"), ("dataset", info.name.as_str()), ("domain", this.name.as_str())];
            candidates.draw(&mut stream(seed, &axes), candidates.total)
        }
    };
    let taken: std::collections::HashSet<_> = batch.iter().collect();
    order.retain(|r| r.subset == Subset::Reference || !taken.contains(r));
    let (name, have) = (&this.name, order.len());
    let k = shots.of(have);
    if k == 0 && shots != Shots::Number(0) {
        return Err(Error::refused(format!("references wanted and domain `{name}` has none outside the batch")));
    }
    if have < k {
        return Err(Error::refused(format!("{k} references wanted and domain `{name}` has {have} outside the batch")));
    }
    order.truncate(k);
    Ok(order)
}

/// Replaces the last of the references by anomalies of the domain, in a random order fixed by (domain, seed), passing over those
/// in `batch`: round(share · k) of k.
///
/// # Errors
/// [`Error::Refused`] where there are too few.
pub fn contaminate(
    dataset: &dyn Dataset,
    fold: &Fold,
    domain: usize,
    references: &mut [SampleRef],
    (share, seed): (f64, u64),
    batch: &[SampleRef],
) -> Result<()> {
    let info = dataset.info();
    let name = info.domains[domain].name.as_str();
    let wanted = (share * references.len() as f64).round() as usize;
    let (_, anomalies) = candidates(info, fold, domain);
    let axes = [("purpose", "contaminated_references"), ("dataset", info.name.as_str()), ("domain", name)];
    let drawn = anomalies.draw(&mut stream(seed, &axes), anomalies.total);
    let taken: std::collections::HashSet<_> = batch.iter().collect();
    let outside: Vec<SampleRef> = drawn.into_iter().filter(|r| !taken.contains(r)).take(wanted).collect();
    if outside.len() < wanted {
        let have = format!("domain `{name}` has {} outside the batch", outside.len());
        let hint = "a smaller `batch_size` leaves some";
        return Err(Error::refused(format!("{wanted} anomalies wanted among the references and {have}; hint: {hint}")));
    }
    let first = references.len() - wanted;
    references[first..].copy_from_slice(&outside);
    Ok(())
}
