//! MVTec AD and every folder in its layout: categories are domains, defects are genuine anomalies with pixel masks.

mod folders;
mod kolektor;
mod layout;
mod mask;
mod params;
mod references;
mod split;
#[cfg(test)]
mod tests;
mod visa;

use std::sync::Arc;

use zsad_core::{DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Load, PictureGeometry, Result};

pub(crate) use folders::{DEFECT, Folders};
pub(crate) use params::Pictures;

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::new::<Mvtec>(&SPEC);

zsad_core::params! {
    /// Parameters of MVTec AD and folders like it.
    pub struct Mvtec {
        /// folders of categories, relative to the data folder
        roots: Vec<String> = vec!["mvtec_ad_subset".into()];
        /// see [`Pictures`]
        pictures: Pictures = Pictures::default();
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "mvtec",
    version: 1,
    summary: "MVTec AD, or any folder in its layout (MPDD, DTD-Synthetic…) or in that of VisA, BTAD and KolektorSDD: \
              colour images in 0 … 1 with pixel masks; each category a domain; reference = train/good, normal = test/good, anomalous = the defects",
    citation: "Bergmann, Fauser, Sattlegger and Steger, MVTec AD: A Comprehensive Real-World Dataset for Unsupervised \
               Anomaly Detection, CVPR 2019; CC BY-NC-SA 4.0. Other folders: see their own licences",
    files: "<root>/<category>/train/good/*, test/good/*, test/<defect>/*, ground_truth/<defect>/<name>_mask.png; a \
            category without ground_truth has no masks; BTAD's `ok` counts as `good`",
    test_params: &["references"],
};

impl Load for Mvtec {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        Folders::files(&self.roots, &self.pictures, data)
    }

    fn check(&self) -> Result<()> {
        self.pictures.check()
    }

    fn image(&self) -> Option<PictureGeometry> {
        Some(self.pictures.geometry())
    }

    fn tags(&self) -> &'static [&'static str] {
        &[DEFECT]
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(Folders::open(&SPEC, &self.roots, &self.pictures, data)?))
    }
}
