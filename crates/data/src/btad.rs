//! BTAD as its archive unpacks, read as MVTec AD is.

use std::sync::Arc;

use zsad_core::{DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Load, PictureGeometry, Result};

use crate::mvtec::{DEFECT, Folders, Pictures};

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::new::<Btad>(&SPEC);

zsad_core::params! {
    /// Parameters of BTAD.
    pub struct Btad {
        /// folder, relative to the data folder
        root: String = "btad".into();
        /// see [`Pictures`]
        pictures: Pictures = Pictures::default();
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "btad",
    version: 1,
    summary: "BTAD, three industrial products: colour images in 0 … 1 with pixel masks; each product a domain; reference = \
              train/ok, normal = test/ok, anomalous = test/ko",
    citation: "Mishra, Verk, Fornasier, Piciarelli and Foresti, VT-ADL: A Vision Transformer Network for Image Anomaly \
               Detection and Localization, ISIE 2021; CC BY-SA 4.0",
    files: "btad/BTech_Dataset_transformed/{01,02,03}/{train/ok,test/ok,test/ko,ground_truth/ko}/*, as the archive unpacks",
    test_params: &["references"],
};

impl Load for Btad {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        Folders::files(std::slice::from_ref(&self.root), &self.pictures, data)
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
        Ok(Arc::new(Folders::open(&SPEC, std::slice::from_ref(&self.root), &self.pictures, data)?))
    }
}

#[cfg(test)]
mod tests;
