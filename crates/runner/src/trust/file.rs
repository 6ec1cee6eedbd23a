//! A calibration on disk: what was learnt, and of whom.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zsad_core::job::MethodId;
use zsad_core::{Error, Method, MethodSpec, Modality, Result, Standardise};
use zsad_store::json;
use zsad_trust::Calibration;

/// Version of the file's form.
pub const FORMAT: u32 = 1;

const AGAIN: &str = "make it again with `zsad calibrate`";

/// What a calibration is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationFile {
    /// Version of the form.
    pub format: u32,
    /// The program that made it.
    pub zsad: String,
    /// The method that is judged.
    pub method: MethodId,
    /// Digest of the trained model, where there is one.
    pub model: Option<String>,
    /// Methods whose scores of the same batch help to judge it.
    pub companions: Vec<MethodId>,
    /// Name of the data set that batches were drawn from.
    pub dataset: String,
    /// Its parameters.
    pub dataset_params: Value,
    /// Kind and shape of its samples.
    pub modality: Modality,
    /// The scale of a table that was scored without a trained model.
    pub standardise: Option<Standardise>,
    /// Seed of the draws.
    pub seed: u64,
    /// By size, ascending.
    pub sizes: Vec<Sized>,
}

/// What was learnt of batches of one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sized {
    /// Samples of a batch.
    pub size: usize,
    /// How many batches it was learnt from.
    pub episodes: usize,
    /// The domains that they were drawn from.
    pub domains: Vec<String>,
    /// What was learnt.
    pub calibration: Calibration,
}

/// Who a person's own batch is scored by.
pub struct Asked<'a> {
    /// The method's description.
    pub spec: &'a MethodSpec,
    /// The method.
    pub method: &'a dyn Method,
    /// Digest of the trained model, where there is one.
    pub model: Option<&'a str>,
    /// The scale of a table that is scored without a trained model.
    pub standardise: Option<Standardise>,
    /// Kind and shape of the samples.
    pub modality: &'a Modality,
}

impl CalibrationFile {
    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        json::write(path, self)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Data`] where it is missing, no calibration, damaged, or of another form.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|e| Error::io(path, &e))?;
        let value: Value = serde_json::from_slice(&text)
            .map_err(|e| Error::data(path, format!("no JSON: {e}"), "give a file that `zsad calibrate` wrote"))?;
        match value.get("format").and_then(Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(other) => {
                let message = format!("a calibration of form {other}, and this program reads form {FORMAT}");
                return Err(Error::data(path, message, AGAIN));
            }
            None => return Err(Error::data(path, "no calibration", "give a file that `zsad calibrate` wrote")),
        }
        serde_json::from_value(value).map_err(|e| Error::data(path, format!("damaged: {e}"), AGAIN))
    }

    /// Refuses a calibration of another method, version, parameter, model, scale or kind of data.
    ///
    /// # Errors
    /// [`Error::Config`] that names both.
    pub fn expect(&self, path: &Path, asked: &Asked) -> Result<()> {
        let wrong = |what: String, hint: &str| {
            Err(Error::Config(format!("{}: a calibration of {what}; hint: {hint}", path.display())))
        };
        let (own, name) = (&self.method, asked.spec.name);
        if own.name != name {
            return wrong(
                format!("{}, and the batch is scored by {name}", own.name),
                &format!("--method {}", own.name),
            );
        }
        if own.version != asked.spec.version {
            let what = format!("{name} version {}, and this program has version {}", own.version, asked.spec.version);
            return wrong(what, AGAIN);
        }
        // A trained model has parameters of its own, and the model is the same.
        if let (None, None, Some(differs)) = (&self.model, asked.model, differs(&own.params, &asked.method.values())) {
            return wrong(format!("{name} with {differs}"), "give the same --param, or make another calibration");
        }
        match (self.model.as_deref(), asked.model) {
            (Some(theirs), Some(ours)) if theirs != ours => {
                return wrong("another model of the same method".into(), "give that one as --checkpoint");
            }
            (Some(_), None) => return wrong("a trained model".into(), "give it as --checkpoint"),
            (None, Some(_)) => return wrong(format!("{name} without a trained model"), "drop --checkpoint"),
            _ => {}
        }
        let (theirs, ours) = (kind(&self.modality), kind(asked.modality));
        if theirs != ours {
            return wrong(format!("{theirs}, and the batch is of {ours}"), "calibrate on data of its kind");
        }
        match (self.standardise, asked.standardise) {
            (Some(theirs), Some(ours)) if theirs != ours => {
                wrong(format!("tables with `--standardise {theirs}`, and this is `{ours}`"), "use the same scale")
            }
            _ => Ok(()),
        }
    }

    /// The calibration of batches of `size`.
    ///
    /// # Errors
    /// [`Error::Config`] with the sizes that there are.
    pub fn of_size(&self, path: &Path, size: usize) -> Result<&Sized> {
        self.sizes.iter().find(|s| s.size == size).ok_or_else(|| {
            let sizes: Vec<String> = self.sizes.iter().map(|s| s.size.to_string()).collect();
            let (have, path) = (sizes.join(", "), path.display());
            let hint = format!("--batch-size {}, or `zsad calibrate --sizes {size}`", sizes[0]);
            Error::Config(format!("{path}: a batch of {size}, and it knows batches of {have}; hint: {hint}"))
        })
    }
}

fn kind(modality: &Modality) -> &'static str {
    match modality {
        Modality::Image { .. } => "pictures",
        Modality::Tabular { .. } => "rows",
    }
}

/// The first parameter in which two sets differ, in words.
fn differs(theirs: &Value, ours: &Value) -> Option<String> {
    let values = |v: &Value| v.as_object().cloned().unwrap_or_default();
    let (theirs, ours) = (values(theirs), values(ours));
    let mut names = theirs.keys().chain(ours.keys().filter(|k| !theirs.contains_key(*k)));
    let shown = |v: Option<&Value>| v.map_or("none".into(), Value::to_string);
    let other = names.find(|k| theirs.get(*k) != ours.get(*k))?;
    Some(format!("{other} {}, and this is {}", shown(theirs.get(other)), shown(ours.get(other))))
}
