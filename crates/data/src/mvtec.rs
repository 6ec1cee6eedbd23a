//! MVTec AD and every folder in its layout: categories are domains, defects are genuine anomalies with pixel masks.

mod layout;
mod picture;
mod split;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use zsad_core::{
    AnomalySource, DataDir, Dataset, DatasetDef, DatasetInfo, DatasetSpec, Domain, Error, Kind, Masks, ParamDefault,
    ParamKind, ParamSpec, Params, PictureSpec, Pool, Result, SampleRef, Samples, Values, key,
};

use crate::resize::Filter;
use layout::Category;
use picture::Geometry;

/// The registry's entry.
pub const DEF: Mvtec = Mvtec;

/// MVTec AD and folders like it; see [`DEF`].
pub struct Mvtec;

static SPEC: DatasetSpec = DatasetSpec {
    name: "mvtec",
    version: 1,
    summary: "MVTec AD, or any folder in its layout (VisA, BTAD, MPDD…): colour images in 0 … 1 with pixel masks; each \
              category a domain; reference = train/good, normal = test/good, anomalous = the defects",
    citation: "Bergmann, Fauser, Sattlegger and Steger, MVTec AD: A Comprehensive Real-World Dataset for Unsupervised \
               Anomaly Detection, CVPR 2019; CC BY-NC-SA 4.0. Other folders: see their own licences",
    files: "<root>/<category>/train/good/*, test/good/*, test/<defect>/*, ground_truth/<defect>/<name>_mask.png; a \
            category without ground_truth has no masks; BTAD's `ok` counts as `good`",
    params: &[
        list("roots", "folders of categories, relative to the data folder", &["mvtec_ad_subset"]),
        list("categories", "only these categories; empty: all", &[]),
        list("train_roots", "train on the categories of these folders instead of leaving one category out", &[]),
        list("train_categories", "train on these categories instead of leaving one category out; empty: all", &[]),
        ParamSpec {
            name: "resize",
            doc: "shorter side after resizing, in pixels",
            kind: ParamKind::Int { min: 8, max: 4096 },
            default: ParamDefault::Int(256),
        },
        ParamSpec {
            name: "crop",
            doc: "side of the middle square that is cut out, in pixels, at most `resize`; what lies outside is lost, \
                  defects included",
            kind: ParamKind::Int { min: 8, max: 4096 },
            default: ParamDefault::Int(224),
        },
        ParamSpec {
            name: "aspect",
            doc: "keep: both sides by the same factor; stretch: both sides become `resize`, so that of an oblong image \
                  nothing but the margin is lost",
            kind: ParamKind::Choice(&["keep", "stretch"]),
            default: ParamDefault::Text("keep"),
        },
        ParamSpec {
            name: "filter",
            doc: "resampling filter, by Pillow's names (masks: always nearest)",
            kind: ParamKind::Choice(Filter::WORDS),
            default: ParamDefault::Text("bilinear"),
        },
    ],
};

const fn list(name: &'static str, doc: &'static str, default: &'static [&'static str]) -> ParamSpec {
    ParamSpec { name, doc, kind: ParamKind::TextList, default: ParamDefault::TextList(default) }
}

impl DatasetDef for Mvtec {
    fn spec(&self) -> &'static DatasetSpec {
        &SPEC
    }

    /// The version and a hash of the names and sizes of all files in use.
    fn revision(&self, params: &Params, dir: &DataDir) -> String {
        let fingerprint = split::read(params, dir).map(|split| fingerprint(split.categories.iter(), &dir.path));
        fingerprint.map_or_else(|_| SPEC.version.to_string(), |hash| format!("{}-{hash}", SPEC.version))
    }

    fn picture(&self, params: &Params) -> Option<PictureSpec> {
        Geometry::new(params).ok().map(|geometry| geometry.spec())
    }

    fn open(&self, params: &Params, dir: &DataDir) -> Result<Arc<dyn Dataset>> {
        let geometry = Geometry::new(params)?;
        let split::Split { categories, names, folds } = split::read(params, dir)?;
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
            kind: Kind::Image { channels: 3, height: geometry.crop, width: geometry.crop },
            domains: domains.collect(),
            folds,
            anomalies: AnomalySource::Genuine,
            // Results on a part of a data set must not pass for results on the whole.
            notes: vec![("images".into(), format!("{files} in {} categories", categories.len()))],
        };
        let reading = ["resize", "crop", "aspect", "filter"].map(|name| params.get(name).clone());
        let reading = key::canonical_json(&serde_json::Value::from(reading.to_vec()));
        let identity =
            |c| format!("{}@{}:{}:{reading}", SPEC.name, SPEC.version, fingerprint([c].into_iter(), &dir.path));
        let identities = categories.iter().map(identity).collect();
        Ok(Arc::new(Folders { info, identities, categories, geometry }))
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
    geometry: Geometry,
}

impl Folders {
    fn category(&self, r: &SampleRef) -> Result<&Category> {
        self.categories.get(r.domain as usize).ok_or_else(|| self.no_sample(r))
    }

    fn no_sample(&self, r: &SampleRef) -> Error {
        Error::failed(format!("{}: there is no sample {r:?}", self.info.name))
    }

    fn picture(&self, r: &SampleRef) -> Result<&Path> {
        let (category, index) = (self.category(r)?, r.index as usize);
        let path = match r.pool {
            Pool::Reference => category.reference.get(index),
            Pool::Normal => category.normal.get(index),
            Pool::Anomalous => category.defects.get(index).map(|d| &d.picture),
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
        let path = self.picture(sample).ok()?;
        Some(format!("{}/{}", path.parent()?.file_name()?.display(), path.file_stem()?.display()))
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        let d = 3 * self.geometry.crop * self.geometry.crop;
        let mut values = vec![0.0; refs.len() * d];
        let read = |(out, r): (&mut [f32], &SampleRef)| picture::read(self.picture(r)?, &self.geometry, out);
        first_error(values.par_chunks_mut(d).zip(refs).map(read).collect())?;
        Ok(Samples::new(self.info.kind.shape(), Values::F32(values)))
    }

    fn masks(&self, refs: &[SampleRef]) -> Result<Option<Masks>> {
        for r in refs {
            if !self.category(r)?.has_masks {
                return Ok(None);
            }
        }
        let side = self.geometry.crop;
        let mut values = vec![0; refs.len() * side * side];
        let read = |(out, r): (&mut [u8], &SampleRef)| {
            let picture = self.picture(r)?;
            match self.category(r)?.defects.get(r.index as usize).and_then(|d| d.mask.as_ref()) {
                Some(mask) if r.pool == Pool::Anomalous => picture::read_mask(mask, picture, &self.geometry, out),
                _ => Ok(()),
            }
        };
        first_error(values.par_chunks_mut(side * side).zip(refs).map(read).collect())?;
        Ok(Some(Masks { height: side, width: side, values }))
    }
}

/// The error of the first in order, not of the first to fail.
fn first_error(results: Vec<Result<()>>) -> Result<()> {
    results.into_iter().collect()
}
