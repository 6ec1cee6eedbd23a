//! ADBench's features of MVTec AD: 15 product categories, each left out of training in turn.

use std::path::PathBuf;
use std::sync::Arc;

use zsad_core::{
    AnomalySource, DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Error, Load, Modality, ReadBy, Result,
};

use crate::memory::InMemory;
use crate::{files, folds, npz_tables};

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::features::<AdbenchFeatures>(&SPEC);

zsad_core::params! {
    /// Parameters of ADBench's image features.
    pub struct AdbenchFeatures {
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "adbench_features",
    version: 1,
    summary: "MVTec AD as 512 ImageNet ResNet-18 features an image (ADBench); 15 categories with genuine anomalies, \
              each left out of training in turn",
    citation: "Han et al., ADBench: Anomaly Detection Benchmark, NeurIPS 2022, BSD-2-Clause; images: Bergmann et al., \
               MVTec AD, CVPR 2019, CC BY-NC-SA 4.0",
    files: "adbench_mvtec_resnet18/MVTec-AD_<category>.npz",
    test_params: &[],
};

const FOLDER: &str = "adbench_mvtec_resnet18";
const PREFIX: &str = "MVTec-AD_";
const CATEGORIES: usize = 15;
const DIM: usize = 512;

const HINT: &str = "put the 15 files MVTec-AD_<category>.npz of ADBench's CV_by_ResNet18 there";

/// The files of the categories with their names, sorted.
fn categories(data: &DataDir) -> Result<Vec<(String, PathBuf)>> {
    let folder = files::require(data, FOLDER, HINT)?;
    let named = |path: PathBuf| {
        let stem = path.file_stem()?.to_string_lossy().into_owned();
        Some((stem.strip_prefix(PREFIX)?.to_owned(), path))
    };
    let found: Vec<_> = npz_tables::in_folder(&folder)?.into_iter().filter_map(named).collect();
    if found.len() != CATEGORIES {
        let message = format!("{} files {PREFIX}<category>.npz instead of {CATEGORIES}", found.len());
        return Err(Error::data(&folder, message, HINT));
    }
    Ok(found)
}

impl Load for AdbenchFeatures {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        let of = |(name, path)| DataFile::new(path, ReadBy::Domain(name));
        Ok(categories(data)?.into_iter().map(of).collect())
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let (names, domains) = npz_tables::read_all(categories(data)?, Some((DIM, HINT)))?;
        let folds = folds::leave_one_out(&names);
        let modality = Modality::Tabular { dim: DIM, features: true };
        Ok(Arc::new(InMemory::new(SPEC.name, modality, domains, folds, AnomalySource::Genuine)?))
    }
}
