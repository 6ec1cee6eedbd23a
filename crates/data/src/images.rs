//! Small 8-bit images kept as bytes in memory; `gather` divides by 255.

use zsad_core::{Dataset, DatasetInfo, Result, SampleRef, Samples, Subset, Values};

/// A data set of normals alone: `pools[domain]` holds its images one after the other, each `[channels, height, width]`.
pub struct ByteImages {
    info: DatasetInfo,
    pools: Vec<Vec<u8>>,
}

impl ByteImages {
    /// The data set of `info`, whose domains have the sizes of `pools`.
    pub fn new(info: DatasetInfo, pools: Vec<Vec<u8>>) -> Self {
        ByteImages { info, pools }
    }
}

impl Dataset for ByteImages {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        let shape = self.info.modality.shape();
        let d: usize = shape.iter().product();
        let mut values = Vec::with_capacity(refs.len() * d);
        for r in refs {
            let (pool, start) = (self.pools.get(r.domain as usize), r.index as usize * d);
            let image = pool.filter(|_| r.subset == Subset::Normal).and_then(|p| p.get(start..start + d));
            let image = image.ok_or_else(|| self.no_sample(r))?;
            values.extend(image.iter().map(|&v| f32::from(v) / 255.0));
        }
        Ok(Samples::new(shape, Values::F32(values)))
    }
}
