//! Synthetic defects: anomalies with masks made of normal pictures, for methods that learn from anomalies where a factory has none.
//!
//! Every normal of a meta-train domain has one defect of its own, which takes the place of the domain's real anomalies.

mod cutpaste;
mod jitter;
mod patch;
mod poisson;
mod scar;

use rand::RngExt;
use rayon::prelude::*;
use zsad_core::rng::{Rng, stream};
use zsad_core::{
    Choice, Dataset, DatasetInfo, Error, Masks, Modality, Result, SampleRef, Samples, Subset, TrainingData, Values,
};

use patch::Picture;

zsad_core::choices! {
    /// How a defect is made.
    pub enum Defect {
        /// A rectangle of the picture, its colours changed a little, in another place (Li et al., CutPaste, CVPR 2021).
        CutPaste = "cutpaste",
        /// The same of a thin, turned rectangle.
        Scar = "scar",
        /// A rectangle of another picture of the domain, whose gradients are blended in (Schlüter et al., NSA, ECCV 2022, with
        /// the sizes of its textures).
        Poisson = "poisson",
        /// One of these three, each as often.
        Mixed = "mixed",
    }
}

/// What training may see, with synthetic anomalies in the place of the real ones.
pub struct SyntheticDefects<'a> {
    data: &'a TrainingData<'a>,
    kind: Defect,
    info: DatasetInfo,
    /// Channels, height and width.
    shape: [usize; 3],
}

impl<'a> SyntheticDefects<'a> {
    /// `data` with defects of one kind.
    ///
    /// # Errors
    /// [`Error::Refused`] where its samples are no pictures.
    pub fn new(data: &'a TrainingData<'a>, kind: Defect) -> Result<Self> {
        let Modality::Image { channels, height, width } = data.info().modality else {
            let why = format!("synthetic defects are made of pictures, and {} has rows", data.info().name);
            return Err(Error::refused(why));
        };
        let mut info = data.info().clone();
        for &domain in &data.fold().meta_train {
            info.domains[domain].anomalous = info.domains[domain].normal;
        }
        Ok(SyntheticDefects { data, kind, info, shape: [channels, height, width] })
    }

    /// The normal that an anomaly is made of, and another of its domain.
    fn normals(&self, defect: &SampleRef, rng: &mut Rng) -> [SampleRef; 2] {
        let n = self.info.domains[defect.domain as usize].normal as u32;
        let at = |index| SampleRef { subset: Subset::Normal, index, ..*defect };
        let other = if n > 1 { (defect.index + 1 + rng.random_range(0..n - 1)) % n } else { defect.index };
        [at(defect.index), at(other)]
    }

    /// The picture with its defect, and where that is.
    fn made(&self, defect: &SampleRef) -> Result<(Vec<f32>, Vec<u8>)> {
        let domain = &self.info.domains[defect.domain as usize].name;
        let axes = [
            ("purpose", "synthetic"),
            ("kind", self.kind.word()),
            ("dataset", self.info.name.as_str()),
            ("domain", domain),
            ("index", &defect.index.to_string()),
        ];
        let rng = &mut stream(0, &axes);
        let samples = self.data.gather(&self.normals(defect, rng))?;
        let values = samples.to_f32();
        let (own, other) = values.split_at(samples.dim());
        let kind = match self.kind {
            Defect::Mixed => [Defect::CutPaste, Defect::Scar, Defect::Poisson][rng.random_range(0..3)],
            kind => kind,
        };
        let mut picture = Picture::new(own.to_vec(), self.shape);
        let mask = match kind {
            Defect::CutPaste => cutpaste::apply(&mut picture, rng),
            Defect::Scar => scar::apply(&mut picture, rng),
            _ => poisson::apply(&mut picture, &Picture::new(other.to_vec(), self.shape), rng),
        };
        Ok((picture.values, mask))
    }

    fn all_made(&self, refs: &[SampleRef]) -> Result<Vec<(Vec<f32>, Vec<u8>)>> {
        refs.par_iter().map(|r| self.made(r)).collect()
    }
}

impl Dataset for SyntheticDefects<'_> {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn identity(&self, domain: usize) -> Option<String> {
        Some(format!("{}, defects {}", self.data.source().identity(domain as u32)?, self.kind))
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        let synthetic = |r: &&SampleRef| r.subset == Subset::Anomalous;
        if !refs.iter().any(|r| synthetic(&r)) {
            return self.data.gather(refs);
        }
        let real: Vec<SampleRef> = refs.iter().filter(|r| !synthetic(r)).copied().collect();
        let real = self.data.gather(&real)?;
        let made = self.all_made(&refs.iter().filter(synthetic).copied().collect::<Vec<_>>())?;
        let dim: usize = self.shape.iter().product();
        let real = real.to_f32();
        let (mut real, mut made) = (real.chunks_exact(dim), made.iter());
        let mut values = Vec::with_capacity(refs.len() * dim);
        for r in refs {
            let own = if synthetic(&r) { made.next().map(|(own, _)| own.as_slice()) } else { real.next() };
            values.extend_from_slice(own.unwrap_or_default());
        }
        Ok(Samples::new(self.shape.to_vec(), Values::F32(values)))
    }

    fn masks(&self, refs: &[SampleRef]) -> Result<Option<Masks>> {
        let [_, height, width] = self.shape;
        let mut values = Vec::with_capacity(refs.len() * height * width);
        for r in refs {
            match r.subset {
                Subset::Anomalous => values.extend(self.made(r)?.1),
                _ => values.resize(values.len() + height * width, 0),
            }
        }
        Ok(Some(Masks { shape: vec![height, width], values }))
    }
}

#[cfg(test)]
mod tests;
