//! `zsad calibrate`: what batches with labels teach about batches without.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use zsad_core::job::MethodId;
use zsad_core::{
    Detector, Environment, Error, Fold, Given, Method, MethodDef, Modality, ParamProblem, Progress, Shots, Standardise,
    Stop,
};
use zsad_store::ModelStore;
use zsad_trust::{Accuracy, Calibration, Settings};

use super::data::missing::with_hint;
use super::score::{key_value, own_scale};
use super::{Locations, interrupt, note};
use crate::batch_score::trained::Trained;
use crate::exit::Exit;
use crate::library::Library;
use crate::plan::digests;
use crate::registry::Registry;
use crate::trust::episodes::{Drawn, EPISODES, Pool, Scoring, untrained};
use crate::trust::file::{CalibrationFile, FORMAT, Sized};
use crate::trust::source::Wanted;

const EXAMPLES: &str = "\
Examples:
  zsad calibrate --method knn --dataset digits --sizes 50,100 --out knn.json
  zsad score --method knn --input mine.npz --batch-size 50 --trust knn.json --out scores.csv
  zsad calibrate --method knn --with mahalanobis --with bn_distance --dataset digits --sizes 100 --out knn.json
  zsad calibrate --method acr_dsvdd --checkpoint results/store/KEY/model.safetensors --sizes 25 --out acr.json

A batch of your own has no labels, and its scores no threshold. Batches of any size and contamination can be drawn from data
*with* labels: 600 of each size, of a domain drawn at random and with 0 to 50 % of anomalies. From what their scores look like,
in a unit of their own, it is learnt how contaminated a batch is, which AUROC to expect, and how probable it is for a sample to
be an anomaly; each with an interval that is as wide as the errors on domains that were not learnt from. `zsad score --trust`
then says it of your batch. It is worth as much as the calibration's domains are like yours: choose data of its kind.

A trained model is calibrated on domains that its training did not see (with a model of `zsad run`, those that its fold
tests): on the others its scores are better than they will be. The help of further methods (--with) costs their time alone and
tells more about the contamination. With fewer than 19 domains nothing shows that a batch is unlike them at the 5 % level.";

/// Learn from data with labels what the scores of a batch tell about it: contamination, expected AUROC, probabilities
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Calibrate {
    /// The method whose scores are to be judged
    #[arg(long, value_name = "NAME")]
    method: String,
    /// A parameter of the method; may be repeated
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = key_value)]
    params: Vec<(String, Value)>,
    /// A trained model, as `zsad run` stores them
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// A method without training whose scores of the same batch help to judge it; may be repeated
    #[arg(long = "with", value_name = "NAME")]
    companions: Vec<String>,
    /// The data with labels [default: those of the trained model]
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// A parameter of the data set; may be repeated
    #[arg(long = "dataset-param", value_name = "KEY=VALUE", value_parser = key_value, requires = "dataset")]
    dataset_params: Vec<(String, Value)>,
    /// Domains to draw from, by their names or as meta_train or meta_test [default: all; of a trained model those that it
    /// was not trained on]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    domains: Vec<String>,
    /// Sizes of batches, those that you will score
    #[arg(long, value_name = "SIZES", value_delimiter = ',', required = true)]
    sizes: Vec<usize>,
    /// Batches of each size
    #[arg(long, value_name = "N", default_value_t = EPISODES)]
    episodes: usize,
    /// The scale of a table without a trained model: none, or batch, as in `zsad score`
    #[arg(long, value_name = "HOW", value_parser = own_scale)]
    standardise: Option<Standardise>,
    /// Seed of the draws, and of methods that draw
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Where the calibration goes, a JSON file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    locations: Locations,
}

impl Calibrate {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let data = zsad_core::DataDir::resolve(self.locations.data.clone());
        self.calibrate(out).map_err(|e| with_hint(e, &data))
    }

    fn calibrate(&self, out: &mut impl Write) -> Result<Exit> {
        let registry = Registry::built_in();
        let def = registry.expect_method(&self.method)?;
        let method = configured(def, &self.params.iter().cloned().collect())?;
        self.check(def, method.as_ref())?;
        let companions =
            self.companions.iter().map(|name| companion(&registry, name)).collect::<Result<Vec<_>, _>>()?;
        let (env, _) = self.locations.open_to_compute(false)?;
        interrupt::listen(&env.stop)?;
        let trained = self.checkpoint.as_ref();
        let trained = trained.map(|path| Trained::read(path, def, method.as_ref(), &registry, &env)).transpose()?;
        // A model in a store has its record beside it.
        let record = self.checkpoint.as_deref().and_then(ModelStore::fit_beside);
        let library = Library::new(Registry::built_in());
        let wanted = Wanted {
            dataset: self.dataset.as_deref(),
            params: &self.dataset_params,
            domains: &self.domains,
            standardise: self.standardise,
            trained: trained.is_some(),
            record: record.as_ref(),
        };
        let source = wanted.data_set(&registry, &library)?;
        let described = source.describe(&env)?.info.clone();
        for def in [def].into_iter().chain(companions.iter().map(|c| c.0)) {
            def.spec().accepts.check(&described.modality).map_err(|e| e.at(def.spec().name))?;
        }
        let (fold, domains) = wanted.domains(&described)?;
        let view = source.view(&env, fold)?;
        let fold = Fold { name: "calibration".into(), ..Fold::single([], domains) };
        let ready = |method: &Arc<dyn Method>| {
            let method = method.resolve(view.info(), &fold)?;
            let detector = untrained(method.as_ref(), (view.as_ref(), &fold), self.seed, &env)?;
            Ok::<_, Error>((detector, method.shots()))
        };
        let mut detectors: Vec<(Box<dyn Detector>, Shots)> = Vec::new();
        let (shots, model) = match trained {
            Some(trained) => {
                let digest = self.checkpoint.as_ref().map(|path| env.digests.file(path)).transpose()?;
                detectors.push((trained.detector, trained.shots));
                (trained.shots, digest)
            }
            None => {
                detectors.push(ready(&method)?);
                (method.shots(), None)
            }
        };
        for (_, method) in &companions {
            detectors.push(ready(method)?);
        }
        let scoring: Vec<Scoring> =
            detectors.iter().map(|(detector, shots)| Scoring { detector: detector.as_ref(), shots: *shots }).collect();
        let pool = Pool { dataset: view.as_ref(), fold: &fold, seed: self.seed, env: &env };
        let mut sizes = BTreeMap::new();
        for &size in &self.sizes {
            let bar = Bar::new(self.episodes, size, &env.stop);
            let drawn = pool.draw(size, self.episodes, &scoring, &bar)?;
            bar.bar.finish_and_clear();
            drawn.said.iter().for_each(note);
            let calibration = Calibration::fit(&drawn.episodes, Settings::default())?;
            said(size, &drawn, &calibration, out)?;
            let (episodes, domains) = (drawn.episodes.len(), drawn.domains);
            sizes.insert(size, Sized { size, episodes, domains, calibration });
        }
        if shots != Shots::Number(0) {
            note("each batch was scored beside references of its own domain, as `zsad score --references` is");
        }
        let is_table = matches!(described.modality, Modality::Tabular { .. });
        let mut own = id(def, method.as_ref(), &env)?;
        if let Some(record) = record {
            own.params = record.fit.method.params;
        }
        let file = CalibrationFile {
            format: FORMAT,
            zsad: env!("CARGO_PKG_VERSION").into(),
            method: own,
            companions: companions.iter().map(|(def, m)| id(*def, m.as_ref(), &env)).collect::<Result<_, Error>>()?,
            dataset: described.name.clone(),
            dataset_params: source.source.values.clone(),
            modality: described.modality.clone(),
            standardise: (is_table && model.is_none()).then(|| self.standardise.unwrap_or(Standardise::None)),
            model,
            seed: self.seed,
            sizes: sizes.into_values().collect(),
        };
        file.write(&self.out)?;
        writeln!(out, "{}", self.out.display())?;
        Ok(Exit::Success)
    }

    fn check(&self, def: &dyn MethodDef, method: &dyn Method) -> Result<(), Error> {
        let wrong = |what: String, hint: &str| Err(Error::Config(format!("{what}; hint: {hint}")));
        let name = def.spec().name;
        if method.learns() && self.checkpoint.is_none() {
            return wrong(format!("{name} is a trained method"), "give --checkpoint, a model of `zsad run`");
        }
        if !method.learns() && self.checkpoint.is_some() {
            return wrong(format!("{name} takes no trained model"), "drop --checkpoint");
        }
        if self.checkpoint.is_some() && !self.params.is_empty() {
            return wrong("a trained model keeps its own parameters".into(), "drop --param");
        }
        if self.checkpoint.is_some() && self.standardise.is_some() {
            return wrong("--standardise beside --checkpoint".into(), "drop it: a trained model has its own scale");
        }
        if self.companions.contains(&self.method) {
            return wrong(format!("--with {name} beside --method {name}"), "name other methods");
        }
        match self.sizes.iter().find(|size| **size < 5) {
            Some(size) => wrong(format!("batches of {size}"), "a batch has 5 samples at least"),
            None => Ok(()),
        }
    }
}

fn configured(def: &dyn MethodDef, given: &Given) -> Result<Arc<dyn Method>, Error> {
    def.configure(given).map_err(|problems| ParamProblem::error(def.spec().name, problems))
}

/// A method that helps, with its defaults.
fn companion(registry: &Registry, name: &str) -> Result<(&'static dyn MethodDef, Arc<dyn Method>), Error> {
    let def = registry.expect_method(name)?;
    let method = configured(def, &Given::new())?;
    if method.learns() || method.shots() != Shots::Number(0) {
        let hint = "choose of those with the setting in_batch, see `zsad list methods`";
        return Err(Error::Config(format!("--with {name}: it does not score a batch by itself; hint: {hint}")));
    }
    Ok((def, method))
}

fn id(def: &dyn MethodDef, method: &dyn Method, env: &Environment) -> Result<MethodId, Error> {
    let (spec, artifacts) = (def.spec(), digests(method, env)?);
    Ok(MethodId { name: spec.name.into(), version: spec.version, params: method.values(), artifacts })
}

/// How good the estimates are on domains that were left out.
fn said(size: usize, drawn: &Drawn, calibration: &Calibration, out: &mut impl Write) -> std::io::Result<()> {
    let domains = calibration.domains();
    writeln!(
        out,
        "batches of {size}: {} episodes of {domains} domains; of domains not learnt from:",
        drawn.episodes.len()
    )?;
    let mut tell = |what: &str, found: Option<Accuracy>| {
        let Some(a) = found else { return Ok(()) };
        let points = |v: f64| 100.0 * v;
        writeln!(
            out,
            "  {what:<14} off by {:.1} points ({:.1} without looking); 90 % intervals are {:.0} points wide and hold {:.0} % of truths",
            points(a.mae),
            points(a.mae_constant),
            points(a.width),
            points(a.coverage)
        )
    };
    let (share, auroc) = calibration.unseen();
    tell("contamination", share)?;
    tell("AUROC", auroc)
}

/// Progress on standard error.
struct Bar<'a> {
    bar: ProgressBar,
    stop: &'a Stop,
}

impl<'a> Bar<'a> {
    fn new(episodes: usize, size: usize, stop: &'a Stop) -> Self {
        let bar = ProgressBar::new(episodes as u64);
        let style = ProgressStyle::with_template("{msg} {elapsed_precise} [{bar:30}] {pos}/{len}, {eta} left");
        // The template is well formed; else the default does.
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(format!("batches of {size}"));
        Bar { bar, stop }
    }
}

impl Progress for Bar<'_> {
    fn tick(&self, _done: u64, _total: u64, _message: &str) -> Result<(), Error> {
        self.bar.inc(1);
        self.stop.check()
    }
}
