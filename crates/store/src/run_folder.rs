//! The folder of a run: finished cells and what is made of them, each in a file of its own.
//!
//! ```text
//! plan.json                          the cells that the folder is for
//! experiment.yaml                    the file that they come from
//! records/<cell_key>.json            a finished cell; written last, so it is the commit point
//! records/<cell_key>.scores.parquet  its scores
//! metrics/<metric_key>.json          a metric computed later, from the stored scores
//! files/<digest>.json                which files a digest of data stands for
//! leases/<fit_key>                   who works on a fit now
//! cluster/                           the jobs of a cluster that work on it, see [`crate::cluster_folder`]
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use zsad_core::key::key;
use zsad_core::{Error, LabelledBatch, Result, file};

use crate::cluster_folder::ClusterFolder;
use crate::json as files;
use crate::lease::Lease;
use crate::record::{CellRecord, MetricRecord, SCHEMA, Status};
use crate::scores::{self, Facts, Scored};

/// The cells of the last run in a folder: `plan.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedPlan {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Experiment name.
    pub experiment: String,
    /// Profile, or empty.
    pub profile: String,
    /// Its cells.
    pub cells: Vec<SavedCell>,
}

/// One cell of [`SavedPlan`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedCell {
    /// Key of the cell.
    pub cell_key: String,
    /// Data set, as results call it.
    pub dataset: String,
    /// Method, as results call it.
    pub method: String,
    /// Key of its fit; empty in plans of versions that did not say.
    #[serde(default)]
    pub fit_key: String,
}

/// What [`RunFolder::take_from`] found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Records that were copied.
    pub new: usize,
    /// Records that were there already.
    pub same: usize,
    /// Keys of finished cells that both folders have with other results; this folder's are kept.
    pub differing: Vec<String>,
}

/// Path below the data folder and digest of every file behind a digest of data.
pub type FileList = BTreeMap<String, String>;

/// The folder of a run, which need not exist.
#[derive(Debug, Clone)]
pub struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// The folder `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        RunFolder { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its part that speaks of a cluster's jobs.
    pub fn cluster(&self) -> ClusterFolder {
        ClusterFolder::of(&self.root)
    }

    /// Makes the folders and removes what killed runs left half written. Other runs may be at work here.
    ///
    /// # Errors
    /// [`Error::Data`] where it cannot be written.
    pub fn prepare(&self) -> Result<()> {
        let ours = ["records", "metrics", "files", "leases", "plots", "analyses"].map(|name| self.root.join(name));
        for folder in &ours {
            fs::create_dir_all(folder).map_err(|e| Error::io(folder, &e))?;
        }
        // What else lies in the folder is the user's.
        file::clean(&self.root, false)?;
        ours.iter().try_for_each(|folder| file::clean(folder, true))
    }

    /// Takes the lease of a fit's cells; `None` while another run works on them.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn lease(&self, fit_key: &str) -> Result<Option<Lease>> {
        Lease::try_take(&self.root.join("leases").join(fit_key))
    }

    /// Waits for the lease of what several runs do one at a time, looking every fifth of a second whether to go on waiting.
    ///
    /// # Errors
    /// Where the folder cannot be written; that of `check`.
    pub fn wait_for(&self, name: &str, check: impl Fn() -> Result<()>) -> Result<Lease> {
        loop {
            if let Some(lease) = self.lease(name)? {
                return Ok(lease);
            }
            check()?;
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// What is leased now: keys of fits that are worked on, and what else runs do one at a time.
    pub fn leased(&self) -> BTreeSet<String> {
        let Ok(entries) = fs::read_dir(self.root.join("leases")) else { return BTreeSet::new() };
        let held = entries.flatten().filter(|e| Lease::is_held(&e.path()));
        held.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
    }

    /// The plan of the last run.
    ///
    /// # Errors
    /// Where there is none, or it is damaged.
    pub fn plan(&self) -> Result<SavedPlan> {
        let path = self.root.join("plan.json");
        let saved = files::read(&path)?;
        saved.ok_or_else(|| Error::data(&path, "missing or damaged", "`zsad run` writes it when it starts"))
    }

    /// Where [`RunFolder::put_plan`] puts the experiment's file.
    pub fn experiment(&self) -> PathBuf {
        self.root.join("experiment.yaml")
    }

    /// Writes down which cells the folder is for, so that `zsad status` knows how many are left, and the text of the
    /// experiment that they come from, if they come from one.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn put_plan(&self, text: Option<&str>, experiment: &str, profile: &str, cells: Vec<SavedCell>) -> Result<()> {
        let (experiment, profile) = (experiment.to_owned(), profile.to_owned());
        let plan = SavedPlan { schema: SCHEMA, experiment, profile, cells };
        if let Some(text) = text {
            file::write(&self.experiment(), text.as_bytes())?;
        }
        files::write(&self.root.join("plan.json"), &plan)
    }

    /// Every record, by cell key. Damaged ones are left out with a warning: their cells are run again.
    ///
    /// # Errors
    /// Where a record comes from a newer zsad.
    pub fn records(&self) -> Result<BTreeMap<String, CellRecord>> {
        let mut records = BTreeMap::new();
        let folder = self.root.join("records");
        let Ok(entries) = fs::read_dir(&folder) else { return Ok(records) };
        for entry in entries {
            let path = entry.map_err(|e| Error::io(&folder, &e))?.path();
            if path.extension().is_some_and(|e| e == "json")
                && let Some(record) = CellRecord::read(&path)?
            {
                records.insert(record.cell_key.clone(), record);
            }
        }
        Ok(records)
    }

    /// The keys of all cells that have a record, read or not.
    pub fn recorded(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.root.join("records")).into_iter().flatten().flatten();
        let names = entries.filter_map(|e| e.file_name().into_string().ok());
        names
            .filter_map(|name| Some(name.strip_suffix(".json")?.to_owned()))
            .filter(|key| !key.starts_with('.'))
            .collect()
    }

    /// One record, if it is there.
    ///
    /// # Errors
    /// Where it comes from a newer zsad.
    pub fn record(&self, cell_key: &str) -> Result<Option<CellRecord>> {
        CellRecord::read(&self.path("records", cell_key, "json"))
    }

    /// Stores a finished cell, its scores first, each with what is known of its sample.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn put_record(&self, record: &CellRecord, batches: &[LabelledBatch<f64>], facts: &Facts) -> Result<()> {
        if !batches.is_empty() {
            scores::write(&self.path("records", &record.cell_key, "scores.parquet"), batches, facts)?;
        }
        files::write(&self.path("records", &record.cell_key, "json"), record)
    }

    /// The scores of a finished cell.
    ///
    /// # Errors
    /// Where they are missing or damaged.
    pub fn scores(&self, cell_key: &str) -> Result<Vec<LabelledBatch<f64>>> {
        scores::read(&self.path("records", cell_key, "scores.parquet"))
    }

    /// The same with what is known of the samples.
    ///
    /// # Errors
    /// As [`RunFolder::scores`].
    pub fn scored(&self, cell_key: &str) -> Result<Scored> {
        scores::read_all(&self.path("records", cell_key, "scores.parquet"))
    }

    /// A metric computed later, if it has been.
    ///
    /// # Errors
    /// Where it comes from a newer zsad.
    pub fn metric(&self, cell_key: &str, metric: &str) -> Result<Option<MetricRecord>> {
        files::read(&self.metric_path(cell_key, metric))
    }

    /// Stores a metric computed later.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn put_metric(&self, record: &MetricRecord) -> Result<()> {
        files::write(&self.metric_path(&record.cell_key, &record.metric), record)
    }

    /// The files behind a digest of data, where a run has written them down.
    pub fn files(&self, digest: &str) -> Option<FileList> {
        files::read(&self.path("files", digest, "json")).ok().flatten()
    }

    /// Writes down the files behind a digest of data, unless they are known.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn put_files(&self, digest: &str, list: &FileList) -> Result<()> {
        let path = self.path("files", digest, "json");
        if path.exists() { Ok(()) } else { files::write(&path, list) }
    }

    /// Copies what another folder has and this one lacks: records with their scores, metrics, lists of files. A finished
    /// cell takes the place of a failed one.
    ///
    /// # Errors
    /// Where a record comes from a newer zsad, or a folder cannot be read or written.
    pub fn take_from(&self, other: &RunFolder) -> Result<Taken> {
        let mut taken = Taken::default();
        for (key, theirs) in other.records()? {
            match self.record(&key)? {
                Some(own) if own.domains == theirs.domains && own.status == theirs.status => taken.same += 1,
                Some(_) if theirs.status == Status::Failed => taken.same += 1,
                Some(own) if own.status != Status::Failed => taken.differing.push(key),
                _ => {
                    // The record is what vouches for the scores: it comes last.
                    for ending in ["scores.parquet", "json"] {
                        self.copy(&other.path("records", &key, ending), &self.path("records", &key, ending))?;
                    }
                    taken.new += 1;
                }
            }
        }
        for folder in ["metrics", "files"] {
            let Ok(entries) = fs::read_dir(other.root.join(folder)) else { continue };
            for entry in entries {
                let path = entry.map_err(|e| Error::io(&other.root, &e))?.path();
                let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|e| e == "json")) else {
                    continue;
                };
                let to = self.root.join(folder).join(name);
                if !to.exists() {
                    self.copy(&path, &to)?;
                }
            }
        }
        Ok(taken)
    }

    /// A file, whole or not at all; one that is not there is not copied.
    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        match fs::read(from) {
            Ok(bytes) => file::write(to, &bytes),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(Error::io(from, &e)),
        }
    }

    fn metric_path(&self, cell_key: &str, metric: &str) -> PathBuf {
        self.path("metrics", &key(&json!({"cell": cell_key, "metric": metric})), "json")
    }

    fn path(&self, folder: &str, key: &str, ending: &str) -> PathBuf {
        self.root.join(folder).join(format!("{key}.{ending}"))
    }
}
