//! Test batches in which one defect recurs: anomalies that are near copies of each other.
//!
//! The sampler repeats samples ([`TestPoint::anomaly_kinds`](zsad_core::TestPoint)); here every repetition becomes a sample of its
//! own, changed a little, so that no method sees twice the same values.

use rand::RngExt;
use zsad_core::rng::{Rng, stream};
use zsad_core::{Dataset, DatasetInfo, LabelledBatch, Masks, Modality, Result, SampleRef, Samples, Subset, Values};

/// The standard deviation of what a copy differs by: of a column's values over the batch, and of the range of an image's.
const OF_COLUMNS: f64 = 0.05;
const OF_IMAGES: f64 = 0.01;

/// A data set beside which lie the copies that one batch of it holds.
pub struct Copies<'a> {
    dataset: &'a dyn Dataset,
    info: DatasetInfo,
    domain: usize,
    /// Anomalies that the domain has itself; a copy's index is this and its place in the batch.
    own: usize,
    /// The batch as it was drawn.
    items: Vec<SampleRef>,
    /// What is added to a copy, in units of these: a value for every column, or one for all.
    scale: Vec<f64>,
    /// What names the random stream of the batch's copies.
    name: [(&'static str, String); 4],
    seed: u64,
}

impl<'a> Copies<'a> {
    /// The copies of `batch`, and its samples with each repetition a copy.
    ///
    /// # Errors
    /// Where the samples cannot be read.
    pub fn of(
        dataset: &'a dyn Dataset,
        domain: usize,
        batch: &LabelledBatch<SampleRef>,
        seed: u64,
    ) -> Result<(Self, Vec<SampleRef>)> {
        let mut info = dataset.info().clone();
        let own = info.domains[domain].anomalous;
        info.domains[domain].anomalous = own + batch.items.len();
        let copy = |(place, item): (usize, &SampleRef)| match batch.items[..place].contains(item) {
            true => SampleRef { domain: domain as u32, subset: Subset::Anomalous, index: (own + place) as u32 },
            false => *item,
        };
        let items = batch.items.iter().enumerate().map(copy).collect();
        let scale = match info.modality {
            Modality::Image { .. } => vec![OF_IMAGES],
            Modality::Tabular { .. } => deviations(&dataset.gather(&batch.items)?),
        };
        let name = [
            ("purpose", "copies".to_owned()),
            ("dataset", info.name.clone()),
            ("domain", batch.domain.clone()),
            ("batch", batch.number.to_string()),
        ];
        Ok((Copies { dataset, info, domain, own, items: batch.items.clone(), scale, name, seed }, items))
    }

    /// The place of a copy in the batch; `None` for a sample of the data set.
    fn place(&self, sample: &SampleRef) -> Option<usize> {
        let copies = sample.domain as usize == self.domain && sample.subset == Subset::Anomalous;
        (sample.index as usize).checked_sub(self.own).filter(|&place| copies && place < self.items.len())
    }

    fn originals(&self, refs: &[SampleRef]) -> Vec<SampleRef> {
        refs.iter().map(|r| self.place(r).map_or(*r, |place| self.items[place])).collect()
    }

    /// What the values of the copy at `place` differ by.
    fn differences(&self, place: usize, n: usize) -> impl Iterator<Item = f64> {
        let place = place.to_string();
        let mut axes: Vec<(&str, &str)> = self.name.iter().map(|(k, v)| (*k, v.as_str())).collect();
        axes.push(("place", &place));
        let mut rng = stream(self.seed, &axes);
        (0..n).map(move |i| self.scale[i % self.scale.len()] * normal(&mut rng))
    }
}

impl Dataset for Copies<'_> {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        let samples = self.dataset.gather(&self.originals(refs))?;
        let (shape, n) = (samples.shape().to_vec(), samples.dim());
        let copies = || refs.iter().enumerate().filter_map(|(i, r)| Some((i, self.place(r)?)));
        let values = match samples.values() {
            Values::F32(values) => {
                let mut values = values.clone();
                for (i, place) in copies() {
                    let own = values[i * n..(i + 1) * n].iter_mut();
                    own.zip(self.differences(place, n)).for_each(|(v, d)| *v += d as f32);
                }
                Values::F32(values)
            }
            Values::F64(values) => {
                let mut values = values.clone();
                for (i, place) in copies() {
                    let own = values[i * n..(i + 1) * n].iter_mut();
                    own.zip(self.differences(place, n)).for_each(|(v, d)| *v += d);
                }
                Values::F64(values)
            }
        };
        Ok(Samples::new(shape, values))
    }

    fn masks(&self, refs: &[SampleRef]) -> Result<Option<Masks>> {
        self.dataset.masks(&self.originals(refs))
    }
}

/// The standard deviation of every column, times what a copy differs by.
fn deviations(samples: &Samples) -> Vec<f64> {
    // Domains of a data set may differ in their columns.
    let (values, dim, n) = (samples.to_f64(), samples.dim(), samples.len() as f64);
    let deviation = |j: usize| {
        let column = || values[j..].iter().step_by(dim);
        let mean = column().sum::<f64>() / n;
        OF_COLUMNS * (column().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()
    };
    (0..dim).map(deviation).collect()
}

/// A standard normal deviate (Box and Muller).
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (2.0 * std::f64::consts::PI * rng.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use zsad_core::{AnomalySource, Fold};

    use super::*;
    use crate::memory::{InMemory, MemoryDomain};

    #[test]
    fn repetitions_are_changed_a_little_and_nothing_else_is() {
        let rows = |n: usize, from: f64| {
            let values = (0..2 * n).map(|i| from + (i as f64).sin() * if i % 2 == 0 { 1.0 } else { 100.0 }).collect();
            Samples::new(vec![2], Values::F64(values))
        };
        let domain =
            MemoryDomain { name: "d".into(), normal: rows(9, 0.0), anomalous: Some(rows(3, 50.0)), reference: None };
        let fold = Fold { name: String::new(), meta_train: vec![], meta_test: vec![0] };
        let set = InMemory::new("s", Modality::rows(2), vec![domain], vec![fold], AnomalySource::Genuine).unwrap();
        let at = |subset, index| SampleRef { domain: 0, subset, index };
        let once: Vec<SampleRef> = SampleRef::all(0, Subset::Normal, 9).collect();
        let repeated = [at(Subset::Anomalous, 1), at(Subset::Anomalous, 1), at(Subset::Anomalous, 1)];
        let items = [once.clone(), repeated.to_vec()].concat();
        let labels = (0..12).map(|i| i > 8).collect();
        let batch = LabelledBatch { domain: "d".into(), number: 0, items, labels };
        let (copies, items) = Copies::of(&set, 0, &batch, 0).unwrap();
        assert_eq!(items[..10], batch.items[..10], "what stands there once stays");
        assert_eq!((items[10].index, items[11].index, copies.info().domains[0].anomalous), (13, 14, 15));
        let (before, after) = (set.gather(&batch.items).unwrap(), copies.gather(&items).unwrap());
        let (before, after) = (before.to_f64(), after.to_f64());
        assert_eq!(before[..20], after[..20]);
        for (i, (b, a)) in before.iter().zip(after.iter()).enumerate().skip(20) {
            let most = if i % 2 == 0 { 5.0 } else { 20.0 };
            assert!(a != b && (a - b).abs() < most, "{i}: {b} {a}");
        }
        assert_ne!(after[20..22], after[22..24], "copies differ from each other");
        let some = copies.gather(&items[10..]).unwrap();
        assert_eq!(some.to_f64()[..], after[20..], "a copy is the same whatever is read with it");
    }
}
