//! Trained models, shared by all runs and known by the keys of their fits.
//!
//! ```text
//! <fit_key>/model.safetensors        a trained model
//! <fit_key>/fit.json                 its training; written last, so it is the commit point
//! <fit_key>/checkpoint.safetensors   what an unfinished training takes to go on
//! <fit_key>/lease                    who trains it now
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zsad_core::env::variable;
use zsad_core::{Error, Result, file};

use crate::lease::Lease;
use crate::model::{self, Model};
use crate::record::FitRecord;

/// A folder of trained models, which need not exist.
#[derive(Debug, Clone)]
pub struct ModelStore {
    root: PathBuf,
}

impl ModelStore {
    /// The folder `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        ModelStore { root: root.into() }
    }

    /// The folder that `flag` (the value of `--store`), `$ZSAD_STORE` or the default names.
    pub fn resolve(flag: Option<PathBuf>) -> Self {
        ModelStore::new(flag.or_else(|| variable("ZSAD_STORE")).unwrap_or_else(|| "results/store".into()))
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The keys of all folders in it, sorted.
    pub fn keys(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.root) else { return Vec::new() };
        let folders = entries.flatten().filter(|e| e.path().is_dir());
        let mut keys: Vec<_> = folders.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        keys.sort();
        keys
    }

    /// The training of a finished fit, if there is one.
    ///
    /// # Errors
    /// Where it comes from a newer zsad.
    pub fn fit(&self, key: &str) -> Result<Option<FitRecord>> {
        if !self.model_path(key).exists() {
            return Ok(None);
        }
        FitRecord::read(&self.folder(key).join("fit.json"))
    }

    /// What [`ModelStore::put`] wrote beside `model`, wherever the two lie now; `None` where it is not there or
    /// unreadable.
    pub fn fit_beside(model: &Path) -> Option<FitRecord> {
        FitRecord::read(&model.with_file_name("fit.json")).ok().flatten()
    }

    /// A trained model, checked against the digest of its record.
    ///
    /// # Errors
    /// [`Error::Data`] where it is damaged, or is not the one that the record speaks of.
    pub fn load(&self, record: &FitRecord) -> Result<Model> {
        let path = self.model_path(&record.fit_key);
        let model = model::load(&path)?;
        let found = zsad_core::state::digest(&model.state.arrays);
        if found != record.digest {
            let message = format!("its tensors have the digest {found}, and fit.json says {}", record.digest);
            return Err(Error::data(&path, message, "delete its folder and run again: the fit is then trained anew"));
        }
        Ok(model)
    }

    /// Keeps a trained model: the tensors first, then the record. Its checkpoint is not needed any more.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn put(&self, record: &FitRecord, model: &Model) -> Result<()> {
        model::save(&self.model_path(&record.fit_key), model)?;
        crate::json::write(&self.folder(&record.fit_key).join("fit.json"), record)?;
        let checkpoint = self.checkpoint_path(&record.fit_key);
        match fs::remove_file(&checkpoint) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&checkpoint, &e)),
            _ => Ok(()),
        }
    }

    /// The checkpoint of an unfinished training, if it kept one; its state is not that of a trained model.
    ///
    /// # Errors
    /// [`Error::Data`] where it is damaged.
    pub fn checkpoint(&self, key: &str) -> Result<Option<Model>> {
        let path = self.checkpoint_path(key);
        if path.exists() { model::load(&path).map(Some) } else { Ok(None) }
    }

    /// Keeps a checkpoint of a training instead of the one before, whole or not at all.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn put_checkpoint(&self, key: &str, checkpoint: &Model) -> Result<()> {
        model::save(&self.checkpoint_path(key), checkpoint)
    }

    /// Takes the lease of a training; `None` while another run trains it.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn lease(&self, key: &str) -> Result<Option<Lease>> {
        let lease = Lease::try_take(&self.lease_path(key))?;
        if lease.is_some() {
            file::clean(&self.folder(key), false)?;
        }
        Ok(lease)
    }

    /// Whether a run trains this fit now.
    pub fn is_leased(&self, key: &str) -> bool {
        Lease::is_held(&self.lease_path(key))
    }

    /// Whether anything of a fit was written since `time`: a model, or a checkpoint. Leases are touched all the time.
    pub fn is_written_since(&self, key: &str, time: SystemTime) -> bool {
        let Ok(entries) = fs::read_dir(self.folder(key)) else { return false };
        let files = entries.flatten().filter(|e| e.path() != self.lease_path(key));
        files.filter_map(|e| e.metadata().ok()?.modified().ok()).any(|modified| modified >= time)
    }

    /// Removes a fit.
    ///
    /// # Errors
    /// Where the folder cannot be removed.
    pub fn remove(&self, key: &str) -> Result<()> {
        let folder = self.folder(key);
        fs::remove_dir_all(&folder).map_err(|e| Error::io(&folder, &e))
    }

    /// Bytes that a fit takes.
    pub fn size(&self, key: &str) -> u64 {
        let Ok(entries) = fs::read_dir(self.folder(key)) else { return 0 };
        entries.flatten().filter_map(|e| e.metadata().ok()).map(|m| m.len()).sum()
    }

    /// Where the trained model of a fit lies.
    pub fn model_path(&self, key: &str) -> PathBuf {
        self.folder(key).join("model.safetensors")
    }

    /// Where the checkpoint of a training lies.
    pub fn checkpoint_path(&self, key: &str) -> PathBuf {
        self.folder(key).join("checkpoint.safetensors")
    }

    fn folder(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    fn lease_path(&self, key: &str) -> PathBuf {
        self.folder(key).join("lease")
    }
}
