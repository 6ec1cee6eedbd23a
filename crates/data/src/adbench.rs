//! The tables of ADBench: a file of `X` and `y`, or a folder of them, each a domain.

use std::path::PathBuf;
use std::sync::Arc;

use zsad_core::{
    AnomalySource, DataDir, Dataset, DatasetDef, DatasetSpec, Fold, ParamDefault, ParamKind, ParamSpec, Params, Result,
};

use crate::memory::InMemory;
use crate::{files, npz_tables, standardise};

/// The registry's entry.
pub const DEF: Adbench = Adbench;

/// ADBench tables; see [`DEF`].
pub struct Adbench;

static SPEC: DatasetSpec = DatasetSpec {
    name: "adbench",
    version: 1,
    summary: "ADBench tables with genuine anomalies; each file a domain. Files of different widths cannot be trained \
              on together: then all are tested and none trains; files of one width are left out of training in turn",
    citation: "Han, Hu, Huang, Jiang and Zhao, ADBench: Anomaly Detection Benchmark, NeurIPS 2022; BSD-2-Clause",
    files: "<root>/*.npz, by default adbench_classical/*.npz; or the file named by `file`",
    params: &[
        ParamSpec {
            name: "root",
            doc: "folder, in the data folder or absolute; every .npz file in it is a domain",
            kind: ParamKind::Text,
            default: ParamDefault::Text("adbench_classical"),
        },
        ParamSpec {
            name: "file",
            doc: "one .npz file instead of a folder, in the data folder or absolute: one domain, nothing to train on",
            kind: ParamKind::Text,
            default: ParamDefault::Auto,
        },
        standardise::PARAM,
    ],
};

const REMEDY: &str = "put the npz tables of ADBench (X [n, d], y [n]) there, or name them with `root` or `file`";

impl DatasetDef for Adbench {
    fn spec(&self) -> &'static DatasetSpec {
        &SPEC
    }

    fn revision(&self, params: &Params, dir: &DataDir) -> String {
        // Files that cannot be found are reported by `open`.
        files::revision(SPEC.version, &paths(params, dir).unwrap_or_default())
    }

    fn open(&self, params: &Params, dir: &DataDir) -> Result<Arc<dyn Dataset>> {
        let paths = paths(params, dir)?;
        let mut domains = Vec::with_capacity(paths.len());
        for path in &paths {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            domains.push(npz_tables::read(path, &name)?);
        }
        npz_tables::unify(&mut domains);
        let names: Vec<String> = domains.iter().map(|d| d.name.clone()).collect();
        let same_width = domains.iter().all(|d| d.normal.dim() == domains[0].normal.dim());
        let folds = if same_width && domains.len() > 1 {
            npz_tables::leave_one_out(&names)
        } else {
            vec![Fold { name: String::new(), meta_train: vec![], meta_test: (0..names.len()).collect() }]
        };
        let set = InMemory::ragged(SPEC.name, domains, folds, AnomalySource::Genuine)?;
        standardise::wrap(Arc::new(set), params)
    }
}

fn paths(params: &Params, dir: &DataDir) -> Result<Vec<PathBuf>> {
    match params.opt_text("file") {
        Some(file) => Ok(vec![files::require(dir, file, REMEDY)?]),
        None => npz_tables::in_folder(&files::require(dir, params.text("root"), REMEDY)?),
    }
}

#[cfg(test)]
mod tests;
