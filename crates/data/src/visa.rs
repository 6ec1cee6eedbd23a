//! VisA as its archive unpacks, read as MVTec AD is.

use std::sync::Arc;

use zsad_core::{DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Load, PictureGeometry, Result};

use crate::mvtec::{DEFECT, Folders, Pictures};

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::new::<Visa>(&SPEC);

zsad_core::params! {
    /// Parameters of VisA.
    pub struct Visa {
        /// folder, relative to the data folder
        root: String = "visa".into();
        /// see [`Pictures`]
        pictures: Pictures = Pictures::default();
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "visa",
    version: 1,
    summary: "VisA, 12 kinds of products: colour images in 0 … 1 with pixel masks; each category a domain; reference = its \
              training pictures, normal and anomalous = its test pictures, by the split with one category at a time",
    citation: "Zou, Jeong, Pemula, Zhang and Dabeer, SPot-the-Difference Self-Supervised Pre-training for Anomaly \
               Detection and Segmentation, ECCV 2022; CC BY 4.0",
    files: "visa/<category>/Data/{Images,Masks}/{Normal,Anomaly}/* and visa/split_csv/1cls.csv, as the archive unpacks; or \
            a folder in the layout of MVTec AD",
    test_params: &["references"],
};

impl Load for Visa {
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
