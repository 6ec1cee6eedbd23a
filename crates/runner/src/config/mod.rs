//! Experiment files: from YAML to a checked [`Experiment`], with all mistakes at once.

mod analyses;
mod budget;
pub mod cluster;
mod datasets;
mod document;
mod fields;
mod grid;
mod labels;
pub mod problem;
mod protocol;
mod shift;
pub mod tags;
mod yaml;

use std::path::{Path, PathBuf};

use std::sync::Arc;

use zsad_core::suggest;
use zsad_core::{DatasetDef, Method, MethodDef, Source, TestPoint};

use crate::analyses::{AnalysisDef, Configured};
use crate::registry::Registry;
pub use problem::{Pos, Problem};

/// A data set with its parameters.
#[derive(Clone)]
pub struct DatasetChoice {
    /// The data set.
    pub def: &'static DatasetDef,
    /// The same with its parameters.
    pub source: Arc<Source>,
    /// What results call it: its name, or what tells it from another of the experiment.
    pub label: String,
    /// A person's own tags of its samples.
    pub tags: Option<Arc<tags::TagFile>>,
}

/// A method with its parameters; each point of a grid is one of these.
#[derive(Clone)]
pub struct MethodChoice {
    /// The method.
    pub def: &'static dyn MethodDef,
    /// The same with its parameters.
    pub method: Arc<dyn Method>,
    /// What results call it: its name, or `as`.
    pub label: String,
}

/// An analysis with its parameters.
#[derive(Clone)]
pub struct AnalysisChoice {
    /// The analysis.
    pub def: &'static dyn AnalysisDef,
    /// The same with its parameters.
    pub analysis: Arc<Configured>,
    /// What its files are called: its name, or `as`.
    pub label: String,
}

/// A checked experiment under one profile.
#[derive(Clone)]
pub struct Experiment {
    /// Its name.
    pub name: String,
    /// One line.
    pub description: String,
    /// The file, as it was read.
    pub text: String,
    /// The profile, or empty.
    pub profile: String,
    /// Data sets, in the file's order.
    pub datasets: Vec<DatasetChoice>,
    /// Methods, in the file's order, grids spread out.
    pub methods: Vec<MethodChoice>,
    /// What is made of the scores afterwards.
    pub analyses: Vec<AnalysisChoice>,
    /// Points of the test protocol.
    pub points: Vec<TestPoint>,
    /// Base seeds.
    pub seeds: Vec<u64>,
    /// The seed of the one training whose model they all test; `None`: each trains its own.
    pub training_seed: Option<u64>,
}

/// An experiment file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {why}{hint}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
        /// What may have been meant.
        hint: String,
    },
    /// The file has mistakes.
    #[error("{}", list(path, problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All of them, in the order of the file.
        problems: Vec<Problem>,
    },
}

fn list(path: &Path, problems: &[Problem]) -> String {
    problems.iter().map(|p| p.in_file(path)).collect::<Vec<_>>().join("\n")
}

/// Reads and checks `path`; every profile is checked, `profile` is the one returned.
///
/// # Errors
/// All mistakes of the file at once; no data are touched.
pub fn load(path: &Path, registry: &Registry, profile: Option<&str>) -> Result<Experiment, ConfigError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let (experiment, text) = checked(path, |text| document::parse(text, folder, registry, profile))?;
    Ok(Experiment { text, ..experiment })
}

/// What `parse` makes of a file, and its text.
fn checked<T>(path: &Path, parse: impl FnOnce(&str) -> Result<T, Vec<Problem>>) -> Result<(T, String), ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|why| {
        let hint = if why.kind() == std::io::ErrorKind::NotFound { others(path) } else { String::new() };
        ConfigError::Unreadable { path: path.to_owned(), why, hint }
    })?;
    let parsed = parse(&text).map_err(|problems| ConfigError::Invalid { path: path.to_owned(), problems })?;
    Ok((parsed, text))
}

/// Which file may have been meant by one that is not there: of its own folder, or of `experiments`.
fn others(path: &Path) -> String {
    let own = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let found: Vec<PathBuf> = entries(own)
        .chain(entries(Path::new("experiments")))
        .filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml"))
        .collect();
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let stems: Vec<String> = found.iter().map(|path| stem(path)).collect();
    let near = suggest::nearest(&stem(path), stems.iter().map(String::as_str));
    match near.and_then(|near| found.iter().find(|path| stem(path) == near)) {
        Some(near) => format!("\n  hint: did you mean {}?", near.strip_prefix(".").unwrap_or(near).display()),
        None => "\n  hint: give the path of an experiment's YAML file".to_owned(),
    }
}

#[cfg(test)]
mod published_tests;
#[cfg(test)]
mod tests;
