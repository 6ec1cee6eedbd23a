//! `zsad score`: one unlabelled batch, scored.

use std::io::Write;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use serde_json::Value;
use zsad_core::Choice;
use zsad_core::{
    Detector, Environment, Error, Given, Method, MethodDef, Missing, Modality, ParamProblem, Preprocessing, Samples,
    Scaling, Shots, Standardise, Supervision,
};
use zsad_store::model;

use super::Locations;
use crate::batch_score::own::{Columns, Own};
use crate::batch_score::scorer::Scorer;
use crate::batch_score::split::{self, Part};
use crate::batch_score::threshold::Rule;
use crate::batch_score::{explain, features::Features, flagged, input, output, scale, warnings};
use crate::executor::fit::restore;
use crate::exit::Exit;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad score --method mahalanobis --input batch.npz --out scores.csv
  zsad score --method knn --param k=9 --input features.csv --out scores.csv --explain
  zsad score --method acr_dsvdd --checkpoint results/store/KEY/model.safetensors \\
             --input day6.csv --id event_id --batch-size 100 --threshold auto --out scores.csv

The input is a batch whose majority is normal: an .npz with `X` [n, d], [n, h, w] or [n, channels, h, w]; a .csv, .tsv or
.parquet, one row a sample; or a folder of pictures. The output has the columns index,score in input order (pictures: the
order of their names), then those that --id and --threshold add; higher is more anomalous. Methods without training fit on
the batch itself; trained ones need --checkpoint and take their statistics from the batch.

Tables: a model that was trained on the data set `table` finds its columns by name and brings them to the scale of its
training; other columns are left out. Without a model all columns but those of --id, --group and --exclude are features and
must be numbers, which are taken as they are unless --standardise says otherwise. A long table is scored in batches of
--batch-size, a score then says how its row stands in its batch.

Pictures: a trained model has them resized, converted and scaled as its training data were; without one they are taken as
they are, and must have one size.

--threshold: by normal references where there are some (each is scored with the others as references; 99 of them can
promise 1 % of false alarms, 20 give every sample a p_value), else by the batch's median and spread, or a stated share.";

/// Doubts about batches that are printed.
const DOUBTS: usize = 3;

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
    /// A column that goes into the output and is no feature; may be repeated
    #[arg(long, value_name = "COLUMN")]
    id: Vec<String>,
    /// Score a long table in batches of so many rows, in their order
    #[arg(long, value_name = "N")]
    batch_size: Option<NonZero<usize>>,
    /// A column, such as the day or the machine, whose values a batch must not mix; it is no feature
    #[arg(long, value_name = "COLUMN")]
    group: Option<String>,
    /// A column that is no feature; may be repeated
    #[arg(long, value_name = "COLUMN")]
    exclude: Vec<String>,
    /// What a missing value becomes: fail, median or indicator [default: as the model was trained, else fail]
    #[arg(long, value_name = "HOW", value_parser = word::<Missing>)]
    missing: Option<Missing>,
    /// The scale of a table without a trained model: none, or batch (mean 0, standard deviation 1)
    #[arg(long, value_name = "HOW", value_parser = own_scale)]
    standardise: Option<Standardise>,
    /// Add a column `flag`: auto, fpr=0.01, top=10 (samples of a batch) or top=0.05 (a share)
    #[arg(long, value_name = "RULE")]
    threshold: Option<Rule>,
    #[command(flatten)]
    locations: Locations,
    /// Say what the scores rest on: the batch's statistics, and which samples stand out by what
    #[arg(long)]
    explain: bool,
}

/// What a model file holds.
struct Trained {
    detector: Box<dyn Detector>,
    shots: Shots,
    /// What its training learnt of a table's columns.
    preprocessing: Option<Preprocessing>,
}

impl Score {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let registry = Registry::built_in();
        let def = registry.expect_method(&self.method)?;
        let given: Given = self.params.iter().cloned().collect();
        let method = def.configure(&given).map_err(|problems| ParamProblem::error(&self.method, problems))?;
        self.check_usage(method.as_ref())?;
        let (env, _) = self.locations.open(false)?;
        // A model is read before the batch: it says how pictures and columns become samples.
        let path = self.checkpoint.as_ref();
        let trained = path.map(|path| self.trained(path, def, &method, &registry, &env)).transpose()?;
        let (own, references) = self.input(def, trained.as_ref(), &registry)?;
        own.said.iter().for_each(super::note);
        let scorer = Scorer {
            shots: trained.as_ref().map_or(method.shots(), |t| t.shots),
            trained: trained.as_ref().map(|t| t.detector.as_ref()),
            scaling: self.scaling(trained.as_ref(), &own, out)?,
            modality: own.modality.clone(),
            references,
            method,
            seed: self.seed,
            env: &env,
        };
        let size = self.batch_size.map(NonZero::get);
        let parts = split::split(own.len(), size, own.groups.as_deref());
        if let Some(said) = split::said(&parts, size, self.group.as_deref()) {
            writeln!(out, "{said}")?;
        }
        let scores = self.score(def, &scorer, &own, &parts, out)?;
        let flags = self.threshold.map(|rule| flagged::flags(rule, &scorer, &scores, &parts, out)).transpose()?;
        output::write(&self.out, &scores, &own.carried, flags.as_ref(), &parts)?;
        Ok(Exit::Success)
    }

    /// The scores of all batches, in input order.
    fn score(
        &self,
        def: &dyn MethodDef,
        scorer: &Scorer,
        own: &Own,
        parts: &[Part],
        out: &mut impl Write,
    ) -> Result<Vec<f64>> {
        let mut scores = vec![0.0; own.len()];
        let mut doubts: Vec<String> = Vec::new();
        for part in parts {
            let at = |e: Error| if parts.len() > 1 { e.at(part.name()) } else { e };
            let (batch, found) = scorer.batch(&own.rows(&part.rows)).map_err(at)?;
            let features = Features::new(&batch)?;
            for doubt in warnings::batch_warnings(&found, &features.along_main_direction(&own.modality)) {
                doubts.push(if parts.len() > 1 { format!("{}: {doubt}", part.name()) } else { doubt });
            }
            if self.explain {
                let setting = match scorer.method.supervision() {
                    Supervision::InBatch if self.checkpoint.is_some() => Supervision::ZeroShot,
                    setting => setting,
                };
                if parts.len() > 1 {
                    writeln!(out, "{}:", part.name())?;
                }
                explain::print(def.spec(), setting, zsad_core::Dataset::info(&batch), &features, &found, out)?;
            }
            part.rows.iter().zip(found).for_each(|(&row, score)| scores[row] = score);
        }
        // A long table would fill the screen with the same warning.
        doubts.iter().take(DOUBTS).for_each(|doubt| super::note(format_args!("warning: {doubt}")));
        if doubts.len() > DOUBTS {
            super::note(format_args!("warning: … and {} more of this kind, of other batches", doubts.len() - DOUBTS));
        }
        Ok(scores)
    }

    /// The scale of the samples; a table's is said.
    fn scaling(&self, trained: Option<&Trained>, own: &Own, out: &mut impl Write) -> Result<Scaling> {
        let Modality::Tabular { .. } = own.modality else { return Ok(Scaling::None) };
        let learnt = trained.and_then(|t| t.preprocessing.as_ref());
        let scaling = match (learnt, self.standardise) {
            (Some(learnt), _) => learnt.scaling.clone(),
            (None, Some(Standardise::Batch)) => Scaling::Batch,
            (None, _) => Scaling::None,
        };
        if trained.is_some() && learnt.is_none() {
            super::note(
                "warning: the model says nothing of its training's columns and their scale (older models and those of other \
                 programs do not): all columns are taken as they are, in their order",
            );
        } else {
            writeln!(out, "{}", scale::said(&scaling, trained.is_some()))?;
        }
        if let Some(said) = learnt.and_then(|l| l.pool.as_ref()).and_then(|pool| own.far_off(pool)) {
            super::note(format_args!("warning: {said}"));
        }
        if let Some(said) = scale::unlike(&scaling, &own.samples, &own.features, trained.is_some()) {
            super::note(format_args!("warning: {said}"));
        }
        Ok(scaling)
    }

    /// Whether the options that were given go together.
    fn check_usage(&self, method: &dyn Method) -> Result<(), Error> {
        let name = &self.method;
        output::check(&self.out)?;
        if self.checkpoint.is_some() && self.standardise.is_some() {
            let hint = "drop --standardise: a trained model has its own scale";
            return Err(Error::Config(format!("--standardise beside --checkpoint; hint: {hint}")));
        }
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

    /// What a model file holds.
    fn trained(
        &self,
        path: &Path,
        def: &dyn MethodDef,
        method: &Arc<dyn Method>,
        registry: &Registry,
        env: &Environment,
    ) -> Result<Trained, Error> {
        if input::is_official(path) {
            return Ok(Trained { detector: method.import(path, env)?, shots: method.shots(), preprocessing: None });
        }
        let model = model::load(path)?;
        model.expect_method(path, def.spec().name, def.spec().version)?;
        let configured = def.configure(&crate::library::given(&model.params));
        let own = configured.map_err(|problems| ParamProblem::error(&self.method, problems))?;
        let detector = restore(registry, path, &model, env)?;
        Ok(Trained { detector, shots: own.shots(), preprocessing: model.preprocessing })
    }

    /// The batch and its references, as the detector wants them.
    fn input(
        &self,
        def: &dyn MethodDef,
        trained: Option<&Trained>,
        registry: &Registry,
    ) -> Result<(Own, Option<Samples>), Error> {
        let detector = trained.map(|t| t.detector.as_ref());
        let learnt = trained.and_then(|t| t.preprocessing.as_ref());
        let images = input::images(def.spec(), detector, self.checkpoint.as_deref(), registry);
        let columns =
            Columns { ids: &self.id, group: self.group.as_deref(), exclude: &self.exclude, missing: self.missing };
        let own = input::read(&self.input, images.as_ref(), &columns, learnt)?;
        let modality = &own.modality;
        def.spec()
            .accepts
            .check(modality)
            .map_err(|e| Error::data(&self.input, format!("{}: {e}", self.method), ""))?;
        let wanted = learnt.and_then(Preprocessing::dim).map(|dim| vec![dim]);
        if let Some(wanted) = detector.and_then(Detector::input).or(wanted).filter(|w| *w != modality.shape()) {
            let message = format!("samples of shape {:?}, and the model was trained on {wanted:?}", modality.shape());
            let hint = match learnt.and_then(|l| l.layout.as_ref()) {
                Some(_) => "give the table itself (.csv, .tsv or .parquet): its columns are found by name",
                None => "give the columns or pixels that it was trained on, in the same order",
            };
            return Err(Error::data(&self.input, message, hint));
        }
        let Some(path) = &self.references else { return Ok((own, None)) };
        let columns = Columns { ids: &[], group: None, ..columns };
        let references = input::read(path, images.as_ref(), &columns, learnt)?;
        if references.modality != *modality {
            let theirs = references.modality.shape();
            let message = format!("samples of shape {theirs:?} beside {:?} of the batch", modality.shape());
            return Err(Error::data(path, message, "references look like the batch"));
        }
        Ok((own, Some(references.samples)))
    }
}

/// `KEY=VALUE`, the value as in YAML.
fn key_value(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    let value = serde_yaml::from_str(value).map_err(|e| e.to_string())?;
    Ok((key.trim().to_owned(), value))
}

/// A word of a choice.
fn word<C: Choice>(text: &str) -> Result<C, String> {
    C::from_word(text).ok_or_else(|| format!("write one of {}", C::WORDS.join(", ")))
}

/// A scale that needs no training.
fn own_scale(text: &str) -> Result<Standardise, String> {
    let known = [Standardise::None, Standardise::Batch];
    let found = Standardise::from_word(text).filter(|how| known.contains(how));
    found.ok_or_else(|| "write none or batch: other scales are learnt in training, by a model".into())
}
