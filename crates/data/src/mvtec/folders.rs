//! Folders of pictures, opened: file names alone. Pictures are decoded as they are asked for, and none is kept.

use std::path::Path;

use image::DynamicImage;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use zsad_core::{
    AnomalySource, DataDir, DataFile, Dataset, DatasetInfo, DatasetSpec, Domain, Masks, PictureGeometry, ReadBy,
    Result, SampleRef, Samples, Shift, Subset, Tags, Values,
};

use super::layout::{self, Category};
use super::{Pictures, mask, references, split};
use crate::{image_file, shift};

/// The categories in use.
pub(crate) struct Folders {
    info: DatasetInfo,
    /// By category.
    identities: Vec<String>,
    categories: Vec<Category>,
    /// Listed references, by category.
    references: Option<Vec<Vec<SampleRef>>>,
    spec: PictureGeometry,
}

impl Folders {
    /// Every file of the categories of `roots` (and of those to train on) that `pictures` asks for.
    ///
    /// # Errors
    /// As [`split::read`].
    pub fn files(roots: &[String], pictures: &Pictures, data: &DataDir) -> Result<Vec<DataFile>> {
        let split::Split { categories, names, .. } = split::read(roots, pictures, data)?;
        let of = |(category, name): (&Category, String)| {
            DataFile::list(category.files().map(Path::to_owned), ReadBy::Domain(name))
        };
        let list = references::path(pictures, data).map(|path| DataFile::new(path, ReadBy::Tests));
        Ok(categories.iter().zip(names).flat_map(of).chain(list).collect())
    }

    /// The data set of `spec` in `roots`.
    ///
    /// # Errors
    /// As [`split::read`], and [`zsad_core::Error::Data`] where a picture or a mask is none.
    pub fn open(spec: &DatasetSpec, roots: &[String], pictures: &Pictures, data: &DataDir) -> Result<Self> {
        let split::Split { categories, names, folds } = split::read(roots, pictures, data)?;
        layout::check_sizes(&categories)?;
        let references = references::path(pictures, data).map(|p| references::read(&p, &categories)).transpose()?;
        let domains = categories.iter().zip(names).map(|(c, name)| Domain {
            name,
            normal: c.normal.len(),
            anomalous: c.defects.len(),
            reference: c.reference.len(),
        });
        let files = categories.iter().map(|c| c.reference.len() + c.normal.len() + c.defects.len()).sum::<usize>();
        let geometry = pictures.geometry();
        let info = DatasetInfo {
            name: spec.name.into(),
            modality: geometry.modality(),
            domains: domains.collect(),
            folds,
            anomalies: AnomalySource::Genuine,
            // Results on a part of a data set must not pass for results on the whole.
            notes: vec![("images".into(), format!("{files} in {} categories", categories.len()))],
        };
        let reading = pictures.reading();
        let identity =
            |c| format!("{}@{}:{}:{reading}", spec.name, spec.version, fingerprint([c].into_iter(), &data.path));
        let identities = categories.iter().map(identity).collect();
        Ok(Folders { info, identities, categories, references, spec: geometry })
    }

    fn category(&self, r: &SampleRef) -> Result<&Category> {
        self.categories.get(r.domain as usize).ok_or_else(|| self.no_sample(r))
    }

    /// The pictures of `refs` as samples, each after `change`.
    fn read(
        &self,
        refs: &[SampleRef],
        change: impl Fn(DynamicImage, &SampleRef) -> DynamicImage + Sync,
    ) -> Result<Samples> {
        let d: usize = self.info.modality.shape().iter().product();
        let mut values = vec![0.0; refs.len() * d];
        let read = |(out, r): (&mut [f32], &SampleRef)| {
            let image = change(image_file::open(self.image(r)?)?, r);
            out.copy_from_slice(&image_file::sample(image, &self.spec));
            Ok(())
        };
        first_error(values.par_chunks_mut(d).zip(refs).map(read).collect())?;
        Ok(Samples::new(self.info.modality.shape(), Values::F32(values)))
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

/// The tag of a picture's folder.
pub(crate) const DEFECT: &str = "defect";

impl Dataset for Folders {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn identity(&self, domain: usize) -> Option<String> {
        self.identities.get(domain).cloned()
    }

    fn listed_references(&self, domain: usize) -> Option<&[SampleRef]> {
        self.references.as_ref()?.get(domain).map(Vec::as_slice)
    }

    /// Folder and number, such as `crack/012`.
    fn sample_name(&self, sample: &SampleRef) -> Option<String> {
        let path = self.image(sample).ok()?;
        Some(format!("{}/{}", path.parent()?.file_name()?.display(), path.file_stem()?.display()))
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        self.read(refs, |image, _| image)
    }

    fn gather_shifted(&self, refs: &[SampleRef], by: &Shift) -> Result<Option<Samples>> {
        self.read(refs, |image, r| shift::picture(image, by, &mut shift::draws(by, &self.info, r))).map(Some)
    }

    /// The folder that a picture lies in: the kind of its defect, or the name for none.
    fn tags(&self, refs: &[SampleRef]) -> Result<Tags> {
        let folder =
            |r: &SampleRef| Ok(self.image(r)?.parent().and_then(|p| Some(p.file_name()?.display().to_string())));
        let folders = refs.iter().map(folder).collect::<Result<Vec<_>>>()?;
        Ok(Tags::none(refs.len()).words(DEFECT, folders))
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
pub(super) fn first_error(results: Vec<Result<()>>) -> Result<()> {
    results.into_iter().collect()
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
