//! What is odd about the numbers of a run: `anomalies.json`. A finding is said, and changes no number.

use std::path::Path;

use serde::{Deserialize, Serialize};
use zsad_core::Result;

use crate::json;
use crate::record::SCHEMA;

zsad_core::choices! {
    /// What is odd.
    pub enum Oddity {
        /// Batches whose samples all have one score.
        ConstantScores = "constant_scores",
        /// Scores of few values: most samples share theirs with others.
        FewValues = "few_valued_scores",
        /// Two methods with the same scores.
        IdenticalScores = "identical_scores",
        /// An AUROC below one half by more than chance: the sign is wrong, or the labels are.
        BelowChance = "below_chance",
        /// An AUROC below that of the method's untrained control.
        BelowControl = "below_control",
        /// A cell or a training that took far longer than its like.
        Slow = "time_outlier",
        /// Batches of one class, which no metric can be computed of.
        OneClass = "one_class_batches",
        /// A training that left the weights where they were.
        Unmoved = "weights_did_not_move",
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// What is odd.
    pub kind: Oddity,
    /// The data set, as results call it.
    pub dataset: String,
    /// The method, as results call it; empty where it is all of them.
    pub method: String,
    /// A sentence about it.
    pub message: String,
    /// Keys of the cells that it is about; none where their rows say it themselves.
    pub cells: Vec<String>,
}

impl Finding {
    /// The sentence, with the method and data set that it is about.
    pub fn sentence(&self) -> String {
        let Finding { dataset, method, message, .. } = self;
        if method.is_empty() { format!("{dataset}: {message}") } else { format!("{method} on {dataset}: {message}") }
    }
}

#[derive(Serialize, Deserialize)]
struct File {
    schema: u32,
    findings: Vec<Finding>,
}

/// Writes `anomalies.json` in `dir`.
///
/// # Errors
/// Where the folder cannot be written.
pub fn write(dir: &Path, findings: &[Finding]) -> Result<()> {
    json::write(&dir.join("anomalies.json"), &File { schema: SCHEMA, findings: findings.to_vec() })
}

/// The findings in `dir`; none where nothing was looked for.
///
/// # Errors
/// Where they come from a newer zsad.
pub fn read(dir: &Path) -> Result<Vec<Finding>> {
    let file: Option<File> = json::read(&dir.join("anomalies.json"))?;
    Ok(file.map(|file| file.findings).unwrap_or_default())
}
