//! A data set whose anomalies are anomalous everywhere, and say so, for methods that learn from masks.

use zsad_core::{Dataset, DatasetInfo, Masks, Result, SampleRef, Samples, Subset};

/// The data set with masks.
pub(super) struct Masked<'a>(pub &'a dyn Dataset);

impl Dataset for Masked<'_> {
    fn info(&self) -> &DatasetInfo {
        self.0.info()
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        self.0.gather(refs)
    }

    fn masks(&self, refs: &[SampleRef]) -> Result<Option<Masks>> {
        let Some((height, width)) = self.info().modality.image_size() else { return Ok(None) };
        let mask = |r: &SampleRef| vec![u8::from(r.subset == Subset::Anomalous); height * width];
        Ok(Some(Masks { shape: vec![height, width], values: refs.iter().flat_map(mask).collect() }))
    }
}
