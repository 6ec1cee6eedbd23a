//! What the tests of the data sets share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use zsad_core::{DataDir, Dataset, DatasetDef, Params, Pool, Result, SampleRef};

/// Opens `def` with the parameters `given`, its files under `dir`.
pub fn open(def: &dyn DatasetDef, given: Value, dir: &Path) -> Result<Arc<dyn Dataset>> {
    let given = serde_json::from_value(given).expect("an object of parameters");
    let params = Params::validate(def.spec().params, &given).expect("valid parameters");
    def.open(&params, &DataDir { path: dir.to_owned(), chosen_by: "--data" })
}

/// The data folder where the real files of `folder` are; else says that the test is skipped.
pub fn real_data(folder: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("ZSAD_DATA").map(PathBuf::from).filter(|d| d.join(folder).exists());
    if dir.is_none() {
        println!("skipped: $ZSAD_DATA holds no {folder}");
    }
    dir
}

/// Every sample of one pool of a domain.
pub fn pool(set: &dyn Dataset, domain: usize, pool: Pool) -> Vec<SampleRef> {
    let sized = 0..set.info().domains[domain].size(pool) as u32;
    sized.map(|index| SampleRef { domain: domain as u32, pool, index }).collect()
}

/// Every normal sample of every domain.
pub fn all_normals(set: &dyn Dataset) -> Vec<SampleRef> {
    (0..set.info().domains.len()).flat_map(|d| pool(set, d, Pool::Normal)).collect()
}
