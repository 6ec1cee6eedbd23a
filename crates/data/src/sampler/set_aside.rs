//! Labelled anomalies that no batch holds, so that a method may be given some of them.

use zsad_core::rng::stream;
use zsad_core::{AnomalySource, DatasetInfo, Error, Result, SampleRef, Subset, TestPoint};

use super::Candidates;

/// The anomalies of a domain, of whatever kind, that are in none of its batches, in a random order fixed by (domain, seed); `seed`
/// is that of the batches, and gives way to one of references. Those that a method is given are the first of them.
///
/// There must be as many; [`super::counts`] says so.
pub fn set_aside(info: &DatasetInfo, domain: usize, point: &TestPoint, seed: u64) -> Vec<SampleRef> {
    let wanted = point.anomalies_set_aside();
    if wanted == 0 {
        return Vec::new();
    }
    let this = &info.domains[domain];
    let axes = [("purpose", "abnormal_references"), ("dataset", info.name.as_str()), ("domain", this.name.as_str())];
    let anomalies = Candidates::new([(domain, this.anomalous)], Subset::Anomalous);
    let mut order = anomalies.draw(&mut stream(point.reference_seed.unwrap_or(seed), &axes), anomalies.total);
    order.truncate(wanted);
    order
}

/// How many of `anomalous` anomalies batches are drawn from.
///
/// # Errors
/// [`Error::Refused`] where fewer are there than are set aside, or none is labelled.
pub(super) fn left(info: &DatasetInfo, anomalous: usize, point: &TestPoint) -> Result<usize> {
    let wanted = point.anomalies_set_aside();
    if wanted > 0 && info.anomalies == AnomalySource::OtherDomains {
        return Err(Error::refused("`abnormal_shots` wants data whose own anomalies are labelled"));
    }
    let few =
        || Error::refused(format!("`abnormal_shots` sets {wanted} anomalies aside and the domain has {anomalous}"));
    anomalous.checked_sub(wanted).ok_or_else(few)
}
