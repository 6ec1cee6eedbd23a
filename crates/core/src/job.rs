//! What a run is made of: fits and cells as values that can be written to a file, sent elsewhere and run there alone,
//! and the keys under which their results are known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::detector::Supervision;
use crate::key::key;
use crate::protocol::TestPoint;

/// A data set as training reads it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DataId {
    /// Name.
    pub name: String,
    /// Version of its loader.
    pub version: u32,
    /// Parameters that training sees.
    pub params: Value,
    /// Digest of the files that training reads in this fold; empty where it needs none, `None` in records of versions
    /// that kept no digests.
    pub digest: Option<String>,
}

/// A method at the values truly used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MethodId {
    /// Name.
    pub name: String,
    /// Version.
    pub version: u32,
    /// Every parameter; none is `null`, save in records of versions that did not resolve them.
    pub params: Value,
    /// Digests of weights and programs by file name.
    pub artifacts: BTreeMap<String, String>,
}

/// Everything that can change a training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FitId {
    /// The data.
    pub data: DataId,
    /// Fold, or empty.
    pub fold: String,
    /// The method.
    pub method: MethodId,
    /// Base seed.
    pub seed: u64,
    /// `cpu`, `cpu, portable` or `cuda`: only one kind of device promises the same bits; see [`crate::simd::kind`].
    pub device: String,
}

impl FitId {
    /// The key of the fit.
    pub fn key(&self) -> String {
        key(&json!({ "fit": self }))
    }
}

/// Everything that can change the scores of a cell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CellId {
    /// Its fit.
    pub fit: FitId,
    /// Parameters of the data set that tests alone see.
    pub test_params: Value,
    /// Digest of the files that tests read; `None` in records of versions that kept no digests.
    pub test_digest: Option<String>,
    /// Test protocol point.
    pub point: TestPoint,
}

impl CellId {
    /// The key of the cell.
    pub fn key(&self) -> String {
        key(&json!({ "cell": self }))
    }

    /// The seed of its test batches and references.
    pub fn seed(&self) -> u64 {
        self.point.draw_seed.unwrap_or(self.fit.seed)
    }

    /// Whether the data and weights behind it are known by their digests.
    pub fn is_identified(&self) -> bool {
        self.fit.data.digest.is_some() && self.test_digest.is_some()
    }
}

/// How a cell was asked for: names and parameters as a person wrote them. In no key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Experiment name.
    pub experiment: String,
    /// Profile, or empty.
    pub profile: String,
    /// What results call the data set.
    pub dataset: String,
    /// Its complete parameters.
    pub dataset_params: Value,
    /// What results call the method: its name, or one that the experiment gives it; empty in records of versions that
    /// knew the name alone.
    #[serde(default)]
    pub method: String,
    /// What the method sees of the target.
    pub setting: Supervision,
    /// The method's parameters as asked for; `null` where it was left to the data.
    pub params: Value,
}

impl Asked {
    /// What results call the method, whose registered name is `name`.
    pub fn method_or<'a>(&'a self, name: &'a str) -> &'a str {
        if self.method.is_empty() { name } else { &self.method }
    }
}

/// A cell to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellJob {
    /// [`CellId::key`].
    pub key: String,
    /// What it is.
    pub id: CellId,
    /// How it was asked for.
    pub asked: Asked,
}

impl CellJob {
    /// What results call its method.
    pub fn method(&self) -> &str {
        self.asked.method_or(&self.id.fit.method.name)
    }
}

/// A fit with the cells that are scored with it. Whoever holds it and the data can run it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitJob {
    /// [`FitId::key`].
    pub key: String,
    /// What it is.
    pub id: FitId,
    /// Whether anything is learned; if not, the fit costs next to nothing.
    pub learns: bool,
    /// Its cells.
    pub cells: Vec<CellJob>,
}

impl FitJob {
    /// What results call its method, where nothing labelled is given.
    pub fn method(&self) -> &str {
        let plain = self.cells.iter().find(|c| c.id.point.labels.is_none() && c.id.point.anomalies_given() == 0);
        plain.or(self.cells.first()).map_or(self.id.method.name.as_str(), CellJob::method)
    }

    /// Method, data set, fold and seed, as a person knows the fit.
    pub fn label(&self) -> String {
        let fold = if self.id.fold.is_empty() { String::new() } else { format!(" ({})", self.id.fold) };
        let dataset = self.cells.first().map_or(self.id.data.name.as_str(), |c| &c.asked.dataset);
        format!("{} on {dataset}{fold}, seed {}", self.method(), self.id.seed)
    }
}
