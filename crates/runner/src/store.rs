//! The folder of a run: finished cells, fits and metrics, each in a file of its own.
//!
//! ```text
//! records/<cell_key>.json            a finished cell; written last, so it is the commit point
//! records/<cell_key>.scores.parquet  its scores
//! fits/<fit_key>/model.safetensors   a trained model
//! fits/<fit_key>/fit.json            its training; the commit point
//! metrics/<metric_key>.json          a metric computed later, from the stored scores
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zsad_core::key::key;
use zsad_core::record::{CellRecord, FitRecord, SCHEMA};
use zsad_core::{Error, MetricSpec, Result, file};
use zsad_report::scores::{self, ScoreRow};

/// A metric of one cell that was computed after the cell was finished: `metrics/<metric_key>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Key of the cell.
    pub cell_key: String,
    /// `name@version`.
    pub metric: String,
    /// Values by domain; an undefined one is `None`.
    pub domains: BTreeMap<String, Option<f64>>,
}

/// `name@version`, as records list their metrics.
pub fn metric_id(spec: &MetricSpec) -> String {
    format!("{}@{}", spec.name, spec.version)
}

/// The folder of a run, open for reading.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// Holds the folder for one run; the lock goes with the process, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Store {
    /// The folder `root`, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Store { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the folders, takes the lock and removes what a killed run left half written.
    ///
    /// # Errors
    /// [`Error::Config`] where another run holds the folder; [`Error::Data`] where it cannot be written.
    pub fn lock(&self) -> Result<Lock> {
        let ours = [self.records_dir(), self.fits_dir(), self.metrics_dir(), self.root.join("plots")];
        for folder in &ours {
            fs::create_dir_all(folder).map_err(|e| Error::io(folder, &e))?;
        }
        let path = self.root.join(".lock");
        let io = |e: std::io::Error| Error::io(&path, &e);
        let mut lock = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                lock.read_to_string(&mut owner).map_err(io)?;
                return Err(Error::Config(format!(
                    "{}: another run ({}) is writing here; wait for it, or choose another folder with --out",
                    self.root.display(),
                    owner.trim()
                )));
            }
            Err(TryLockError::Error(e)) => return Err(io(e)),
        }
        lock.set_len(0).and_then(|()| writeln!(lock, "process {}", std::process::id())).map_err(io)?;
        // What else lies in the folder is the user's.
        file::clean(&self.root, false)?;
        ours.iter().try_for_each(|folder| file::clean(folder, true))?;
        Ok(Lock { _file: lock })
    }

    /// Whether a run is writing here now.
    pub fn is_locked(&self) -> bool {
        let Ok(file) = File::open(self.root.join(".lock")) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Every record, by cell key. Damaged ones are left out with a warning: their cells are run again.
    ///
    /// # Errors
    /// Where a record comes from a newer zsad.
    pub fn records(&self) -> Result<BTreeMap<String, CellRecord>> {
        let mut records = BTreeMap::new();
        let Ok(entries) = fs::read_dir(self.records_dir()) else { return Ok(records) };
        for entry in entries {
            let path = entry.map_err(|e| Error::io(self.records_dir(), &e))?.path();
            if path.extension().is_some_and(|e| e == "json")
                && let Some(record) = read_json::<CellRecord>(&path)?
            {
                records.insert(record.cell_key.clone(), record);
            }
        }
        Ok(records)
    }

    /// Stores a finished cell, its scores first.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn put_record(&self, record: &CellRecord, rows: &[ScoreRow]) -> Result<()> {
        if !rows.is_empty() {
            scores::write(&self.scores_path(&record.cell_key), rows)?;
        }
        write_json(&self.records_dir().join(format!("{}.json", record.cell_key)), record)
    }

    /// The scores of a finished cell.
    ///
    /// # Errors
    /// Where they are missing or damaged.
    pub fn scores(&self, cell_key: &str) -> Result<Vec<ScoreRow>> {
        scores::read(&self.scores_path(cell_key))
    }

    /// A finished fit, if there is one.
    ///
    /// # Errors
    /// Where it comes from a newer zsad.
    pub fn fit(&self, fit_key: &str) -> Result<Option<FitRecord>> {
        if !self.model_path(fit_key).exists() {
            return Ok(None);
        }
        read_json(&self.fits_dir().join(fit_key).join("fit.json"))
    }

    /// What [`Store::put_fit`] wrote beside `model`, wherever the two lie now; `None` where it is not there or unreadable.
    pub fn fit_beside(model: &Path) -> Option<FitRecord> {
        read_json(&model.with_file_name("fit.json")).ok().flatten()
    }

    /// Stores a finished fit: `save` writes the model, then the record is committed.
    ///
    /// # Errors
    /// Where `save` fails or the folder cannot be written.
    pub fn put_fit(&self, record: &FitRecord, save: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        save(&self.model_path(&record.fit_key))?;
        write_json(&self.fits_dir().join(&record.fit_key).join("fit.json"), record)
    }

    /// All finished fits, by key.
    ///
    /// # Errors
    /// Where one comes from a newer zsad.
    pub fn fits(&self) -> Result<Vec<FitRecord>> {
        let Ok(entries) = fs::read_dir(self.fits_dir()) else { return Ok(Vec::new()) };
        let mut keys: Vec<_> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        keys.sort();
        let fits: Result<Vec<_>> = keys.iter().map(|key| self.fit(key)).collect();
        Ok(fits?.into_iter().flatten().collect())
    }

    /// Where the trained model of a fit lies.
    pub fn model_path(&self, fit_key: &str) -> PathBuf {
        self.fits_dir().join(fit_key).join("model.safetensors")
    }

    /// A metric computed later, if it has been.
    ///
    /// # Errors
    /// Where it comes from a newer zsad.
    pub fn metric(&self, cell_key: &str, metric: &str) -> Result<Option<MetricRecord>> {
        read_json(&self.metric_path(cell_key, metric))
    }

    /// Stores a metric computed later.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn put_metric(&self, record: &MetricRecord) -> Result<()> {
        write_json(&self.metric_path(&record.cell_key, &record.metric), record)
    }

    fn metric_path(&self, cell_key: &str, metric: &str) -> PathBuf {
        let key = key(&json!({"cell": cell_key, "metric": metric}));
        self.metrics_dir().join(format!("{key}.json"))
    }

    fn scores_path(&self, cell_key: &str) -> PathBuf {
        self.records_dir().join(format!("{cell_key}.scores.parquet"))
    }

    fn records_dir(&self) -> PathBuf {
        self.root.join("records")
    }

    fn fits_dir(&self) -> PathBuf {
        self.root.join("fits")
    }

    fn metrics_dir(&self) -> PathBuf {
        self.root.join("metrics")
    }
}

/// Writes `value` as indented JSON, whole or not at all.
///
/// # Errors
/// Where the folder cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| Error::failed(format!("{}: {e}", path.display())))?;
    text.push(b'\n');
    file::write(path, &text)
}

/// Reads a file of ours: `None` where it is missing or damaged (with a warning), an error where it is too new.
///
/// # Errors
/// Where it comes from a newer zsad or cannot be read.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(path, &e)),
    };
    let value: serde_json::Value = match serde_json::from_slice(&text) {
        Ok(value) => value,
        Err(e) => return damaged(path, &e),
    };
    if let Some(schema) = value["schema"].as_u64().filter(|&s| s > u64::from(SCHEMA)) {
        let message = format!("written by a newer zsad (schema {schema}; this one knows {SCHEMA})");
        return Err(Error::data(path, message, "use that version, or another folder"));
    }
    serde_json::from_value(value).map(Some).or_else(|e| damaged(path, &e))
}

fn damaged<T>(path: &Path, e: &serde_json::Error) -> Result<Option<T>> {
    tracing::warn!("{}: damaged ({e}); it will be made again", path.display());
    Ok(None)
}
