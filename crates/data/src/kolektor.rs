//! KolektorSDD and KolektorSDD2 as their archives unpack, read as MVTec AD is.

use std::sync::Arc;

use zsad_core::{DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Load, PictureGeometry, Result};

use crate::mvtec::{DEFECT, Folders, Pictures};

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::new::<Kolektor>(&SPEC);

zsad_core::params! {
    /// Parameters of KolektorSDD.
    pub struct Kolektor {
        /// 1: KolektorSDD in kolektor/; 2: KolektorSDD2 in kolektor2/
        version: usize = 1, in 1..=2;
        /// see [`Pictures`]
        pictures: Pictures = Pictures::default();
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "kolektor",
    version: 1,
    summary: "KolektorSDD or KolektorSDD2, surfaces of one product: grey or colour images in 0 … 1 with pixel masks; one \
              domain. KolektorSDD has no split for anomaly detection: reference = good parts of its first 25 items by \
              number, tested = all other parts. KolektorSDD2: reference = good training pictures, tested = its test \
              pictures; its defective training pictures are left out",
    citation: "Tabernik, Šela, Skvarč and Skočaj, Segmentation-Based Deep-Learning Approach for Surface-Defect \
               Detection, Journal of Intelligent Manufacturing 2020; Božič, Tabernik and Skočaj, Mixed Supervision for \
               Surface-Defect Detection, Computers in Industry 2021; CC BY-NC-SA 4.0",
    files: "kolektor/kos<NN>/Part<N>.jpg and Part<N>_label.bmp; kolektor2/{train,test}/<id>.png and <id>_GT.png, as the \
            archives unpack",
    test_params: &["references"],
};

impl Kolektor {
    fn roots(&self) -> [String; 1] {
        [if self.version == 1 { "kolektor" } else { "kolektor2" }.into()]
    }
}

impl Load for Kolektor {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        Folders::files(&self.roots(), &self.pictures, data)
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
        Ok(Arc::new(Folders::open(&SPEC, &self.roots(), &self.pictures, data)?))
    }
}

#[cfg(test)]
mod tests;
