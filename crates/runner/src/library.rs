//! The data sets of a run: described before they are opened, opened when they are first needed, shared by all fits.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};
use zsad_core::key::{canonical_json, key};
use zsad_core::panics::guarded;
use zsad_core::{
    Dataset, DatasetInfo, DatasetSpec, Environment, Error, Fold, Given, ParamProblem, Preprocessing, ReadBy, Result,
    Source, digest,
};
use zsad_data::standardise;
use zsad_store::json;
use zsad_store::run_folder::FileList;

use crate::registry::Registry;

/// A data set with its parameters, as far as it was looked at.
pub struct DataSet {
    /// Its description.
    pub spec: &'static DatasetSpec,
    /// The same with its parameters.
    pub source: Arc<Source>,
    described: OnceLock<Result<Described>>,
    opened: OnceLock<Result<Arc<dyn Dataset>>>,
    /// The data set as its folds read it, by fold.
    views: Mutex<BTreeMap<usize, Arc<OnceLock<View>>>>,
}

type View = Result<Arc<dyn Dataset>>;

/// What is known of a data set without its samples.
pub struct Described {
    /// Domains, folds, shapes.
    pub info: DatasetInfo,
    /// Its files.
    files: Vec<(ReadBy, String, String)>,
}

impl Described {
    /// The files that training reads in `fold`, and those that tests read.
    pub fn files(&self, fold: &Fold) -> (FileList, FileList) {
        let is_of = |name: &str, domains: &[usize]| domains.iter().any(|&d| self.info.domains[d].name == name);
        let list = |wanted: &dyn Fn(&ReadBy) -> bool| -> FileList {
            let files = self.files.iter().filter(|(by, ..)| wanted(by));
            files.map(|(_, path, digest)| (path.clone(), digest.clone())).collect()
        };
        let training = list(&|by| match by {
            ReadBy::Both | ReadBy::Training => true,
            ReadBy::Tests => false,
            ReadBy::Domain(name) => is_of(name, &fold.meta_train),
        });
        let tests = list(&|by| match by {
            ReadBy::Both | ReadBy::Tests => true,
            ReadBy::Training => false,
            ReadBy::Domain(name) => is_of(name, &fold.meta_test),
        });
        (training, tests)
    }
}

/// The digest of a list of files; empty where there is none.
pub fn digest_of(files: &FileList) -> String {
    if files.is_empty() { String::new() } else { digest::of_bytes(canonical_json(&json!(files)).as_bytes()) }
}

impl DataSet {
    fn new(spec: &'static DatasetSpec, source: Arc<Source>) -> Self {
        let views = Mutex::default();
        DataSet { spec, source, described: OnceLock::new(), opened: OnceLock::new(), views }
    }

    /// Its parameters: those that training sees, and those that tests alone see.
    pub fn params(&self) -> (Value, Value) {
        let values = &self.source.values;
        let all = values.as_object().into_iter().flatten();
        let (tests, training): (Vec<_>, Vec<_>) =
            all.map(|(k, v)| (k.clone(), v.clone())).partition(|(k, _)| self.spec.test_params.contains(&k.as_str()));
        (Value::Object(training.into_iter().collect()), Value::Object(tests.into_iter().collect()))
    }

    /// What is known of it. Its files are hashed, and where their bytes were seen before, what was learned then is read
    /// from the cache instead of opening it.
    ///
    /// # Errors
    /// Where a file is missing or damaged.
    pub fn describe(&self, env: &Environment) -> Result<&Described> {
        let described = self.described.get_or_init(|| guarded(|| self.look(env)));
        described.as_ref().map_err(Clone::clone)
    }

    fn look(&self, env: &Environment) -> Result<Described> {
        let found = self.source.files(&env.data)?;
        let digests = env.digests.files(&found)?;
        let below = |path: &Path| path.strip_prefix(&env.data.path).unwrap_or(path).to_string_lossy().into_owned();
        let named = found.into_iter().zip(digests).map(|(f, digest)| (f.read_by, below(&f.path), digest));
        let files: Vec<_> = named.collect();
        let all: FileList = files.iter().map(|(_, path, digest)| (path.clone(), digest.clone())).collect();
        let identity = json!({
            "zsad": env!("CARGO_PKG_VERSION"), "dataset": self.spec.name, "version": self.spec.version,
            "params": self.source.values, "files": digest_of(&all),
        });
        let kept = env.cache.as_ref().filter(|_| !files.is_empty());
        let kept = kept.map(|cache| cache.join("datasets").join(format!("{}.json", key(&identity))));
        if let Some(info) = kept.as_ref().and_then(|path| json::read(path).ok().flatten()) {
            return Ok(Described { info, files });
        }
        let info = self.open(env)?.info().clone();
        if let Some(path) = &kept {
            // A cache that cannot be written costs time alone.
            let _ = json::write(path, &info);
        }
        Ok(Described { info, files })
    }

    /// The opened data set.
    ///
    /// # Errors
    /// Where a file is missing or damaged.
    pub fn open(&self, env: &Environment) -> Result<&Arc<dyn Dataset>> {
        let opened = self.opened.get_or_init(|| guarded(|| self.source.open(&env.data)));
        opened.as_ref().map_err(Clone::clone)
    }

    /// The data set as fold number `fold` reads it.
    ///
    /// # Errors
    /// Where a file is missing or damaged, or the fold cannot be standardised.
    pub fn view(&self, env: &Environment, fold: usize) -> View {
        let opened = self.open(env)?;
        let cell = self.views.lock().unwrap_or_else(PoisonError::into_inner).entry(fold).or_default().clone();
        let folds = &opened.info().folds;
        cell.get_or_init(|| guarded(|| standardise::view(opened, &folds[fold], self.source.standardise))).clone()
    }

    /// What training in fold number `fold` learns of the columns; `None` for what is no table.
    ///
    /// # Errors
    /// As [`DataSet::view`].
    pub fn preprocessing(&self, env: &Environment, fold: usize) -> Result<Option<Preprocessing>> {
        let opened = self.open(env)?;
        standardise::preprocessing(opened.as_ref(), &opened.info().folds[fold], self.source.standardise)
    }

    /// The number of the fold called `name`.
    ///
    /// # Errors
    /// Where there is none.
    pub fn fold(info: &DatasetInfo, name: &str) -> Result<usize> {
        let found = info.folds.iter().position(|f| f.name == name);
        found.ok_or_else(|| Error::failed(format!("{}: there is no fold `{name}`", info.name)))
    }
}

/// All data sets that were asked for.
pub struct Library {
    registry: Registry,
    sets: Mutex<BTreeMap<String, Arc<DataSet>>>,
}

impl Library {
    /// An empty library.
    pub fn new(registry: Registry) -> Self {
        Library { registry, sets: Mutex::default() }
    }

    /// The data set of `source`.
    pub fn of(&self, spec: &'static DatasetSpec, source: &Arc<Source>) -> Arc<DataSet> {
        let name = format!("{}{}", spec.name, canonical_json(&source.values));
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        sets.entry(name).or_insert_with(|| Arc::new(DataSet::new(spec, source.clone()))).clone()
    }

    /// The data set called `name` with parameters that were valid when they were written down.
    ///
    /// # Errors
    /// [`Error::Config`] where they are not of this version.
    pub fn get(&self, name: &str, params: &Value) -> Result<Arc<DataSet>> {
        let def = self.registry.expect_dataset(name)?;
        let source = def.configure(&given(params)).map_err(|problems| ParamProblem::error(name, problems))?;
        Ok(self.of(def.spec(), &source))
    }
}

/// Parameters that were written down.
pub fn given(params: &Value) -> Given {
    params.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect()
}
