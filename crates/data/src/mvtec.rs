//! MVTec AD and every folder in its layout: categories are domains, defects are genuine anomalies with pixel masks.

mod layout;
mod mask;
mod split;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use zsad_core::{
    AnomalySource, Aspect, DataDir, DataFile, Dataset, DatasetDef, DatasetInfo, DatasetSpec, Domain, Error, Filter,
    Fit, Load, Masks, PictureGeometry, ReadBy, Result, SampleRef, Samples, Subset, Values,
};

use crate::image_file;
use layout::Category;

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::new::<Mvtec>(&SPEC);

zsad_core::params! {
    /// Parameters of MVTec AD and folders like it.
    pub struct Mvtec {
        /// folders of categories, relative to the data folder
        roots: Vec<String> = vec!["mvtec_ad_subset".into()];
        /// only these categories; empty: all
        categories: Vec<String> = vec![];
        /// train on the categories of these folders instead of leaving one category out
        train_roots: Vec<String> = vec![];
        /// train on these categories instead of leaving one category out; empty: all
        train_categories: Vec<String> = vec![];
        /// shorter side after resizing, in pixels
        resize: usize = 256, in 8..=4096;
        /// side of the middle square that is cut out, in pixels, at most `resize`; what lies outside is lost, defects
        /// included
        crop: usize = 224, in 8..=4096;
        /// keep: both sides by the same factor; stretch: both sides become `resize`, so that of an oblong image nothing
        /// but the margin is lost
        aspect: Aspect = Aspect::Keep;
        /// resampling filter, by Pillow's names (masks: always nearest)
        filter: Filter = Filter::Bilinear;
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "mvtec",
    version: 1,
    summary: "MVTec AD, or any folder in its layout (VisA, BTAD, MPDD…): colour images in 0 … 1 with pixel masks; each \
              category a domain; reference = train/good, normal = test/good, anomalous = the defects",
    citation: "Bergmann, Fauser, Sattlegger and Steger, MVTec AD: A Comprehensive Real-World Dataset for Unsupervised \
               Anomaly Detection, CVPR 2019; CC BY-NC-SA 4.0. Other folders: see their own licences",
    files: "<root>/<category>/train/good/*, test/good/*, test/<defect>/*, ground_truth/<defect>/<name>_mask.png; a \
            category without ground_truth has no masks; BTAD's `ok` counts as `good`",
    test_params: &[],
};

impl Load for Mvtec {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        let split::Split { categories, names, .. } = split::read(self, data)?;
        let of = |(category, name): (&Category, String)| {
            DataFile::list(category.files().map(Path::to_owned), ReadBy::Domain(name))
        };
        Ok(categories.iter().zip(names).flat_map(of).collect())
    }

    fn check(&self) -> Result<()> {
        let Mvtec { resize, crop, .. } = self;
        if crop > resize {
            return Err(Error::Config(format!("crop {crop} is larger than resize {resize}")));
        }
        Ok(())
    }

    fn image(&self) -> Option<PictureGeometry> {
        Some(self.spec())
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let split::Split { categories, names, folds } = split::read(self, data)?;
        layout::check_sizes(&categories)?;
        let domains = categories.iter().zip(names).map(|(c, name)| Domain {
            name,
            normal: c.normal.len(),
            anomalous: c.defects.len(),
            reference: c.reference.len(),
        });
        let files = categories.iter().map(|c| c.reference.len() + c.normal.len() + c.defects.len()).sum::<usize>();
        let info = DatasetInfo {
            name: SPEC.name.into(),
            modality: self.spec().modality(),
            domains: domains.collect(),
            folds,
            anomalies: AnomalySource::Genuine,
            // Results on a part of a data set must not pass for results on the whole.
            notes: vec![("images".into(), format!("{files} in {} categories", categories.len()))],
        };
        let reading = serde_json::json!([self.resize, self.crop, self.aspect, self.filter]);
        let identity =
            |c| format!("{}@{}:{}:{reading}", SPEC.name, SPEC.version, fingerprint([c].into_iter(), &data.path));
        let identities = categories.iter().map(identity).collect();
        Ok(Arc::new(Folders { info, identities, categories, spec: self.spec() }))
    }
}

impl Mvtec {
    /// Torchvision's `Resize(resize)` and `CenterCrop(crop)` on Pillow images.
    fn spec(&self) -> PictureGeometry {
        let fit = match self.aspect {
            Aspect::Keep => Fit::Cut(self.resize),
            Aspect::Stretch => Fit::StretchAndCut(self.resize),
        };
        PictureGeometry { filter: self.filter, fit, ..PictureGeometry::stretched(3, self.crop, self.crop) }
    }
}

/// The first 64 bits of SHA-256 over every file's path below the data folder and its size, in hexadecimal digits.
fn fingerprint<'c>(categories: impl Iterator<Item = &'c Category>, root: &Path) -> String {
    let mut hash = Sha256::new();
    for path in categories.flat_map(Category::files) {
        let size = std::fs::metadata(path).map_or(0, |m| m.len());
        let name = path.strip_prefix(root).unwrap_or(path);
        hash.update(format!("{}\n{size}\n", name.display()));
    }
    hash.finalize()[..8].iter().map(|b| format!("{b:02x}")).collect()
}

/// Opened folders: file names alone. Pictures are decoded as they are asked for, and none is kept.
struct Folders {
    info: DatasetInfo,
    /// By category.
    identities: Vec<String>,
    categories: Vec<Category>,
    spec: PictureGeometry,
}

impl Folders {
    fn category(&self, r: &SampleRef) -> Result<&Category> {
        self.categories.get(r.domain as usize).ok_or_else(|| self.no_sample(r))
    }

    fn image(&self, r: &SampleRef) -> Result<&Path> {
        let (category, index) = (self.category(r)?, r.index as usize);
        let path = match r.subset {
            Subset::Reference => category.reference.get(index),
            Subset::Normal => category.normal.get(index),
            Subset::Anomalous => category.defects.get(index).map(|d| &d.image),
        };
        path.map(|p| p.as_path()).ok_or_else(|| self.no_sample(r))
    }
}

impl Dataset for Folders {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn identity(&self, domain: usize) -> Option<String> {
        self.identities.get(domain).cloned()
    }

    /// Folder and number, such as `crack/012`.
    fn sample_name(&self, sample: &SampleRef) -> Option<String> {
        let path = self.image(sample).ok()?;
        Some(format!("{}/{}", path.parent()?.file_name()?.display(), path.file_stem()?.display()))
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        let d: usize = self.info.modality.shape().iter().product();
        let mut values = vec![0.0; refs.len() * d];
        let read = |(out, r): (&mut [f32], &SampleRef)| {
            out.copy_from_slice(&image_file::sample(image_file::open(self.image(r)?)?, &self.spec));
            Ok(())
        };
        first_error(values.par_chunks_mut(d).zip(refs).map(read).collect())?;
        Ok(Samples::new(self.info.modality.shape(), Values::F32(values)))
    }

    fn masks(&self, refs: &[SampleRef]) -> Result<Option<Masks>> {
        for r in refs {
            if !self.category(r)?.has_masks {
                return Ok(None);
            }
        }
        let side = self.spec.height;
        let mut values = vec![0; refs.len() * side * side];
        let read = |(out, r): (&mut [u8], &SampleRef)| {
            let image = self.image(r)?;
            match self.category(r)?.defects.get(r.index as usize).and_then(|d| d.mask.as_ref()) {
                Some(mask) if r.subset == Subset::Anomalous => mask::read(mask, image, &self.spec, out),
                _ => Ok(()),
            }
        };
        first_error(values.par_chunks_mut(side * side).zip(refs).map(read).collect())?;
        Ok(Some(Masks { shape: vec![side, side], values }))
    }
}

/// The error of the first in order, not of the first to fail.
fn first_error(results: Vec<Result<()>>) -> Result<()> {
    results.into_iter().collect()
}
