//! Outliers that are no noise: patches of defects, at the positions where they are.

use rand::RngExt;
use zsad_backbones::LayerShape;
use zsad_core::rng::Rng;
use zsad_core::{Result, SampleId, SampleRef, Subset, TrainingData};

use crate::methods::resad::images::anomalous;

/// Masks that are read at once.
const MASKS: usize = 16;

/// The defects of a domain by the positions that they cover; only those that one covers.
pub(super) struct Defects(Vec<(usize, Vec<SampleId>)>);

impl Defects {
    /// Those of a domain on a layer of `shape`, and all of its anomalies that have a mask.
    pub fn of(data: &TrainingData, domain: usize, shape: LayerShape) -> Result<(Self, Vec<SampleId>)> {
        let mut at: Vec<(usize, Vec<SampleId>)> = (0..shape.positions()).map(|p| (p, vec![])).collect();
        let mut all = Vec::new();
        let anomalies: Vec<SampleRef> =
            SampleRef::all(domain, Subset::Anomalous, data.info().domains[domain].anomalous).collect();
        for part in anomalies.chunks(MASKS) {
            let Some(masks) = data.masks(part)? else { break };
            let &[height, width] = masks.shape.as_slice() else { break };
            let ids = data.ids(part)?;
            for (&id, mask) in ids.iter().zip(masks.values.chunks_exact(height * width)) {
                anomalous((height, width), mask, shape).into_iter().for_each(|p| at[p as usize].1.push(id));
            }
            all.extend(ids);
        }
        at.retain(|(_, covering)| !covering.is_empty());
        Ok((Defects(at), all))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A position that a defect covers, and `n` of the pictures in which one does; few are drawn again and again.
    pub fn draw(&self, rng: &mut Rng, n: usize) -> (usize, Vec<SampleId>) {
        let (position, covering) = &self.0[rng.random_range(0..self.0.len())];
        (*position, (0..n).map(|_| covering[rng.random_range(0..covering.len())]).collect())
    }
}

#[cfg(test)]
mod tests {
    use zsad_core::rng::stream;
    use zsad_core::{AnomalySource, Dataset, DatasetInfo, Fold, Masks, Modality, Samples, Values};
    use zsad_data::memory::{InMemory, MemoryDomain};

    use super::*;

    /// Pictures of 4 × 4 whose first anomaly is anomalous in its upper left quarter, and the second on the left.
    struct Quarters(InMemory);

    impl Dataset for Quarters {
        fn info(&self) -> &DatasetInfo {
            self.0.info()
        }

        fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
            self.0.gather(refs)
        }

        fn masks(&self, refs: &[SampleRef]) -> Result<Option<Masks>> {
            let pixel = |r: &SampleRef, i: usize| {
                let covered = i % 4 < 2 && (i < 8 || r.index == 1);
                u8::from(covered && r.subset == Subset::Anomalous)
            };
            let values = refs.iter().flat_map(|r| (0..16).map(move |i| pixel(r, i))).collect();
            Ok(Some(Masks { shape: vec![4, 4], values }))
        }
    }

    #[test]
    fn outliers_come_from_pictures_whose_defect_covers_the_position() {
        let modality = Modality::Image { channels: 1, height: 4, width: 4 };
        let pictures = |n: usize| Samples::new(modality.shape(), Values::F32(vec![0.5; 16 * n]));
        let domain =
            MemoryDomain { name: "d".into(), normal: pictures(3), anomalous: Some(pictures(2)), reference: None };
        let fold = Fold { name: String::new(), meta_train: vec![0], meta_test: vec![] };
        let set = InMemory::new("s", modality.clone(), vec![domain], vec![fold], AnomalySource::Genuine).unwrap();
        let set = Quarters(set);
        let data = TrainingData::new(&set, &set.info().folds[0]);
        let (defects, all) = Defects::of(&data, 0, LayerShape { channels: 9, height: 2, width: 2 }).unwrap();
        assert_eq!(defects.0, [(0, all.clone()), (2, vec![all[1]])]);
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..20 {
            let (position, drawn) = defects.draw(&mut stream(number, &[]), 5);
            assert_eq!(drawn.len(), 5);
            seen.extend(drawn.into_iter().map(|id| (position, id)));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>().len(), 3);
    }
}
