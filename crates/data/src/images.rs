//! Small 8-bit images kept as bytes in memory; `gather` divides by 255.

use zsad_core::{
    AnomalySource, Dataset, DatasetInfo, Domain, Fold, Modality, Result, SampleRef, Samples, Subset, Tags, Values,
};

/// What a record says beside the parameters.
pub type Notes = Vec<(String, String)>;

/// A data set of normals alone: `pools[domain]` holds its images one after the other, each `[channels, height, width]`.
pub struct ByteImages {
    info: DatasetInfo,
    pools: Vec<Vec<u8>>,
    tags: TagsOf,
}

/// What makes the tags of samples from what is known of a data set.
pub type TagsOf = fn(&DatasetInfo, &[SampleRef]) -> Tags;

impl ByteImages {
    /// Square grey images of `side` pixels by domain; anomalies are images of other domains.
    pub fn new(name: &str, side: usize, domains: Vec<(String, Vec<u8>)>, fold: Fold, notes: Notes) -> Self {
        let (names, pools): (Vec<String>, Vec<Vec<u8>>) = domains.into_iter().unzip();
        let sized = names.into_iter().zip(&pools).map(|(n, pool)| Domain::normals(n, pool.len() / (side * side)));
        ByteImages {
            info: grey(name, side, sized.collect(), fold, notes),
            pools,
            tags: |_, refs| Tags::none(refs.len()),
        }
    }

    /// The same with tags.
    pub fn with_tags(self, tags: TagsOf) -> Self {
        ByteImages { tags, ..self }
    }
}

/// What is known of a data set of square grey images of `side` pixels; anomalies are images of other domains.
pub fn grey(name: &str, side: usize, domains: Vec<Domain>, fold: Fold, notes: Notes) -> DatasetInfo {
    DatasetInfo {
        name: name.into(),
        modality: Modality::Image { channels: 1, height: side, width: side },
        domains,
        folds: vec![fold],
        anomalies: AnomalySource::OtherDomains,
        notes,
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

    fn tags(&self, refs: &[SampleRef]) -> Result<Tags> {
        Ok((self.tags)(&self.info, refs))
    }
}
