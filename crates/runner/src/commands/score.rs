//! `zsad score`: one unlabelled batch, scored.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use serde_json::Value;
use zsad_core::detector::adapted;
use zsad_core::{
    Batch, Dataset, Detector, Environment, Error, FitContext, Given, Method, MethodDef, ParamProblem, SampleRef,
    Samples, Scores, Shots, Silent, Subset, Supervision, TrainingData, Unlabelled, Values, file,
};
use zsad_data::memory::InMemory;
use zsad_store::model;

use super::Locations;
use crate::batch_score::{explain, features::Features, input, warnings};
use crate::evaluate::check;
use crate::executor::fit::restore;
use crate::exit::Exit;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad score --method mahalanobis --input batch.npz --out scores.csv
  zsad score --method knn --param k=9 --input features.csv --out scores.csv --explain
  zsad score --method acr_dsvdd --checkpoint results/store/KEY/model.safetensors \\
             --input batch.npz --out scores.csv

The input is one batch whose majority is normal: an .npz with `X` [n, d], [n, h, w] or [n, channels, h, w]; a .csv or
.parquet of numbers, one row a sample; or a folder of pictures. A trained model has its pictures resized, converted and
scaled as its training data were; without one they are taken as they are, and must have one size. The output has the
columns index,score in input order (pictures: the order of their names); higher is more anomalous. Methods without
training fit on the batch itself; trained ones need --checkpoint and take their statistics from the batch.";

/// Score a batch of your own with a trained model or a training-free method
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Score {
    /// The method
    #[arg(long, value_name = "NAME")]
    method: String,
    /// A trained model, as `zsad run` stores them, or a .pt file of the official ACR code
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The batch
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Where the scores go, a CSV file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Seed of methods that draw at random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// A parameter of the method; may be repeated
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = key_value)]
    params: Vec<(String, Value)>,
    /// Normal samples of the target, for methods that compare with some
    #[arg(long, value_name = "FILE")]
    references: Option<PathBuf>,
    #[command(flatten)]
    locations: Locations,
    /// Say what the scores rest on: the batch's statistics, and which samples stand out by what
    #[arg(long)]
    explain: bool,
}

impl Score {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let registry = Registry::built_in();
        let def = registry.expect_method(&self.method)?;
        let given: Given = self.params.iter().cloned().collect();
        let method = def.configure(&given).map_err(|problems| ParamProblem::error(&self.method, problems))?;
        self.check_usage(method.as_ref())?;
        let (env, _) = self.locations.open(false)?;
        // A model is read before the batch: it says how pictures become samples.
        let (trained, shots) = match &self.checkpoint {
            Some(path) => self.trained(path, def, &method, &registry, &env).map(|(d, shots)| (Some(d), shots))?,
            None => (None, method.shots()),
        };
        let batch = self.batch(def, trained.as_deref(), &registry)?;
        let detector = match trained {
            Some(trained) => trained,
            None => {
                let data = TrainingData::new(&batch, &batch.info().folds[0]);
                let method = method.resolve(batch.info(), data.fold())?;
                method.fit(&FitContext { data: &data, seed: self.seed, env: &env, progress: &Silent })?
            }
        };
        let scores = score(detector.as_ref(), shots, &batch, &env)?.samples;
        let features = Features::new(&batch)?;
        for warning in warnings::batch_warnings(&scores, &features.along_main_direction(&batch.info().modality)) {
            super::note(format_args!("warning: {warning}"));
        }
        write(&self.out, &scores)?;
        if self.explain {
            let setting = match method.supervision() {
                Supervision::InBatch if self.checkpoint.is_some() => Supervision::ZeroShot,
                setting => setting,
            };
            explain::print(def.spec(), setting, batch.info(), &features, &scores, out)?;
        }
        Ok(Exit::Success)
    }

    /// Whether the options that were given go together.
    fn check_usage(&self, method: &dyn Method) -> Result<(), Error> {
        let name = &self.method;
        if method.learns() && self.checkpoint.is_none() {
            let hint = "give --checkpoint; `zsad run` stores models as results/store/<key>/model.safetensors";
            return Err(Error::Config(format!("{name} is a trained method; hint: {hint}")));
        }
        if method.shots() != Shots::Number(0) && self.references.is_none() {
            let hint = "give some with --references";
            return Err(Error::Config(format!("{name} compares with normal references of the target; hint: {hint}")));
        }
        if method.shots() == Shots::Number(0) && self.references.is_some() {
            return Err(Error::Config(format!("{name} looks at the batch alone; hint: drop --references")));
        }
        if self.checkpoint.is_some() && !self.params.is_empty() {
            super::note("warning: --param has no effect on a trained model, which keeps its own parameters");
        }
        Ok(())
    }

    /// The detector of a model file, and how many references its method wants.
    fn trained(
        &self,
        path: &Path,
        def: &dyn MethodDef,
        method: &Arc<dyn Method>,
        registry: &Registry,
        env: &Environment,
    ) -> Result<(Box<dyn Detector>, Shots), Error> {
        if input::is_official(path) {
            return Ok((method.import(path, env)?, method.shots()));
        }
        let model = model::load(path)?;
        model.expect_method(path, def.spec().name, def.spec().version)?;
        let configured = def.configure(&crate::library::given(&model.params));
        let own = configured.map_err(|problems| ParamProblem::error(&self.method, problems))?;
        Ok((restore(registry, path, &model, env)?, own.shots()))
    }

    /// The batch and its references, as the detector wants them.
    fn batch(
        &self,
        def: &dyn MethodDef,
        trained: Option<&dyn Detector>,
        registry: &Registry,
    ) -> Result<InMemory, Error> {
        let images = input::images(def.spec(), trained, self.checkpoint.as_deref(), registry);
        let (modality, samples) = input::read(&self.input, images.as_ref())?;
        def.spec()
            .accepts
            .check(&modality)
            .map_err(|e| Error::data(&self.input, format!("{}: {e}", self.method), ""))?;
        if let Some(wanted) = trained.and_then(Detector::input).filter(|wanted| *wanted != modality.shape()) {
            let message = format!("samples of shape {:?}, and the model was trained on {wanted:?}", modality.shape());
            let hint = "give the columns or pixels that it was trained on, in the same order";
            return Err(Error::data(&self.input, message, hint));
        }
        let Some(path) = &self.references else { return InMemory::batch(modality, samples, None) };
        let (theirs, references) = input::read(path, images.as_ref())?;
        if theirs != modality {
            let message = format!("samples of shape {:?} beside {:?} of the batch", theirs.shape(), modality.shape());
            return Err(Error::data(path, message, "references look like the batch"));
        }
        // A data set is in one precision.
        let double = |s: Samples| Samples::new(s.shape().to_vec(), Values::F64(s.to_f64().into_owned()));
        InMemory::batch(modality, double(samples), Some(double(references)))
    }
}

/// The scores of all samples as one batch, all finite.
fn score(detector: &dyn Detector, shots: Shots, batch: &InMemory, env: &Environment) -> Result<Scores, Error> {
    let domain = &batch.info().domains[0];
    let all = |subset: Subset| SampleRef::all(0, subset, domain.size(subset)).collect::<Vec<_>>();
    let (refs, support) = (all(Subset::Normal), all(Subset::Reference));
    let source = Unlabelled::new(batch);
    let own = adapted(detector, shots, &Batch::new(&source, &support, env))?;
    let scores = own.as_deref().unwrap_or(detector).score(&Batch::new(&source, &refs, env))?;
    check(&scores, refs.len())?;
    Ok(scores)
}

/// `index,score`, each score as the shortest text that reads back exactly.
fn write(path: &Path, scores: &[f64]) -> Result<(), Error> {
    let lines: String = scores.iter().enumerate().map(|(i, s)| format!("{i},{s:?}\n")).collect();
    file::write(path, format!("index,score\n{lines}").as_bytes())
}

/// `KEY=VALUE`, the value as in YAML.
fn key_value(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    let value = serde_yaml::from_str(value).map_err(|e| e.to_string())?;
    Ok((key.trim().to_owned(), value))
}
