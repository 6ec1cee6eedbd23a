//! The tables of ADBench: a file of `X` and `y`, or a folder of them, each a domain.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zsad_core::{
    AnomalySource, DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Error, Fold, Load, ReadBy, Result,
};

use crate::memory::InMemory;
use crate::{files, folds, npz_tables};

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::tabular::<Adbench>(&SPEC);

zsad_core::params! {
    /// Parameters of ADBench's tables.
    pub struct Adbench {
        /// folder, in the data folder or absolute; every .npz file in it is a domain
        root: String = "adbench_classical".into();
        /// one .npz file instead of a folder, in the data folder or absolute: one domain, nothing to train on; empty: none
        file: String = String::new();
        /// names of files of the folder, without .npz: only these are read; empty: all
        tables: Vec<String> = Vec::new();
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "adbench",
    version: 1,
    summary: "ADBench tables with genuine anomalies; each file a domain. Files of different widths cannot be trained \
              on together: then all are tested and none trains; files of one width are left out of training in turn",
    citation: "Han, Hu, Huang, Jiang and Zhao, ADBench: Anomaly Detection Benchmark, NeurIPS 2022; BSD-2-Clause",
    files: "<root>/*.npz, by default adbench_classical/*.npz; or the file named by `file`",
    test_params: &[],
};

const HINT: &str = "put the npz tables of ADBench (X [n, d], y [n]) there, or name them with `root` or `file`";

impl Adbench {
    fn paths(&self, data: &DataDir) -> Result<Vec<PathBuf>> {
        if !self.file.is_empty() {
            return Ok(vec![files::require(data, &self.file, HINT)?]);
        }
        let folder = files::require(data, &self.root, HINT)?;
        let mut paths = npz_tables::in_folder(&folder)?;
        let names: Vec<String> = paths.iter().map(|path| name(path)).collect();
        if let Some(lacking) = self.tables.iter().find(|table| !names.contains(table)) {
            let hint = zsad_core::suggest::hint(lacking, names.iter().map(String::as_str));
            return Err(Error::data(&folder, format!("no {lacking}.npz here"), &hint));
        }
        paths.retain(|path| self.tables.is_empty() || self.tables.contains(&name(path)));
        Ok(paths)
    }
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

impl Load for Adbench {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        let of = |path: PathBuf| {
            let read_by = ReadBy::Domain(name(&path));
            DataFile::new(path, read_by)
        };
        Ok(self.paths(data)?.into_iter().map(of).collect())
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let named = self.paths(data)?.into_iter().map(|path| (name(&path), path));
        let (names, domains) = npz_tables::read_all(named, None)?;
        let same_width = domains.iter().all(|d| d.normal.dim() == domains[0].normal.dim());
        let folds = if same_width && domains.len() > 1 {
            folds::leave_one_out(&names)
        } else {
            vec![Fold::single([], 0..names.len())]
        };
        Ok(Arc::new(InMemory::ragged(SPEC.name, domains, folds, AnomalySource::Genuine)?))
    }
}

#[cfg(test)]
mod tests;
