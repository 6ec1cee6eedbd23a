//! ADBench's features of MVTec AD: 15 product categories, each left out of training in turn.

use std::sync::Arc;

use zsad_core::{AnomalySource, DataDir, Dataset, DatasetDef, DatasetSpec, Error, Kind, Params, Result};

use crate::memory::InMemory;
use crate::{files, npz_tables, standardise};

/// The registry's entry.
pub const DEF: AdbenchFeatures = AdbenchFeatures;

/// ADBench's image features of MVTec AD; see [`DEF`].
pub struct AdbenchFeatures;

static SPEC: DatasetSpec = DatasetSpec {
    name: "adbench_features",
    version: 1,
    summary: "MVTec AD as 512 ImageNet ResNet-18 features an image (ADBench); 15 categories with genuine anomalies, \
              each left out of training in turn",
    citation: "Han et al., ADBench: Anomaly Detection Benchmark, NeurIPS 2022, BSD-2-Clause; images: Bergmann et al., \
               MVTec AD, CVPR 2019, CC BY-NC-SA 4.0",
    files: "adbench_mvtec_resnet18/MVTec-AD_<category>.npz",
    params: &[standardise::PARAM],
};

const FOLDER: &str = "adbench_mvtec_resnet18";
const PREFIX: &str = "MVTec-AD_";
const CATEGORIES: usize = 15;
const DIM: usize = 512;

impl DatasetDef for AdbenchFeatures {
    fn spec(&self) -> &'static DatasetSpec {
        &SPEC
    }

    fn open(&self, params: &Params, dir: &DataDir) -> Result<Arc<dyn Dataset>> {
        let remedy = "put the 15 files MVTec-AD_<category>.npz of ADBench's CV_by_ResNet18 there";
        let folder = files::require(dir, FOLDER, remedy)?;
        let mut domains = Vec::with_capacity(CATEGORIES);
        for path in npz_tables::in_folder(&folder)? {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let Some(category) = stem.strip_prefix(PREFIX) else { continue };
            let domain = npz_tables::read(&path, category)?;
            if domain.normal.dim() != DIM {
                let message = format!("{} features an image instead of {DIM}", domain.normal.dim());
                return Err(Error::data(&path, message, remedy));
            }
            domains.push(domain);
        }
        if domains.len() != CATEGORIES {
            let message = format!("{} files {PREFIX}<category>.npz instead of {CATEGORIES}", domains.len());
            return Err(Error::data(&folder, message, remedy));
        }
        npz_tables::unify(&mut domains);
        let names: Vec<String> = domains.iter().map(|d| d.name.clone()).collect();
        let folds = npz_tables::leave_one_out(&names);
        let set = InMemory::new(SPEC.name, Kind::Tabular { dim: DIM }, domains, folds, AnomalySource::Genuine)?;
        standardise::wrap(Arc::new(set), params)
    }
}
