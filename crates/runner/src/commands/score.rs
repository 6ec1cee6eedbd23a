//! `zsad score`: one unlabelled batch, scored.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use serde_json::Value;
use zsad_core::detector::adapted;
use zsad_core::{
    Batch, Dataset, Detector, Environment, Error, FitContext, Given, Method, MethodDef, ParamProblem, PictureGeometry,
    SampleRef, Samples, Scores, Shots, Silent, Subset, Supervision, TrainingData, Unlabelled, Values,
};
use zsad_data::memory::InMemory;
use zsad_store::model;

use super::Locations;
use crate::batch_score::input::Input;
use crate::batch_score::maps::{self, Source};
use crate::batch_score::pictures::{PictureArgs, Pictures};
use crate::batch_score::usage::Usage;
use crate::batch_score::{explain, features::Features, input, output, suggest, warnings};
use crate::evaluate::check;
use crate::executor::fit::restore;
use crate::exit::Exit;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad score --method mahalanobis --input batch.npz --out scores.csv
  zsad score --method knn --param k=9 --input features.csv --out scores.csv --explain
  zsad score --input parts/ --references good/ --out scores.csv      which methods suit these?
  zsad score --method patchcore --references good/ --input parts/ --out scores.csv --maps maps/
  zsad score --method acr_dsvdd --checkpoint results/store/KEY/model.safetensors \\
             --input batch.npz --out scores.csv

The input is one batch whose majority is normal: an .npz with `X` [n, d], [n, h, w] or [n, channels, h, w]; a .csv or
.parquet of numbers, one row a sample; or a folder of pictures (.png, .jpg, .bmp, .tif, .webp), of any sizes. The output
has the columns index,score in input order; for pictures also file, in the order of their names. Higher is more
anomalous. Methods without training fit on the batch itself; trained ones need --checkpoint and take their statistics
from the batch.

Pictures are turned as their camera says (EXIF orientation) and scored whole: every method sees them stretched to one
size, 224×224 unless --resize says otherwise. With --aspect keep they keep their shape, and their borders are repeated
around them. Only --crop leaves something out. A trained model has its pictures made into samples as its training data
were; what it then cuts off is said. --maps writes what a method that makes anomaly maps sees where: the picture with
its map over it, and the map itself (float32, at the size in which the method saw the picture).";

/// Score a batch of your own with a trained model or a training-free method
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Score {
    /// The method; without one, some that suit the batch are suggested
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
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
    /// A folder for anomaly maps: <file>.overlay.png and <file>.npy of each picture, and sheet.png
    #[arg(long, value_name = "DIR")]
    maps: Option<PathBuf>,
    #[command(flatten)]
    pictures: PictureArgs,
}

/// A model that was read.
struct Trained {
    detector: Box<dyn Detector>,
    /// The references that its method wants.
    shots: Shots,
    /// How the pictures that it knows became samples.
    pictures: Option<PictureGeometry>,
}

/// A batch that is ready to be scored.
struct Ready {
    data: InMemory,
    /// Its pictures, and how they became samples.
    pictures: Option<(Pictures, PictureGeometry)>,
}

impl Score {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let registry = Registry::built_in();
        let Some(name) = &self.method else { return Err(self.suggestion()?.into()) };
        let def = registry.expect_method(name)?;
        let given: Given = self.params.iter().cloned().collect();
        let method = def.configure(&given).map_err(|problems| ParamProblem::error(name, problems))?;
        let (checkpoint, references) = (self.checkpoint.is_some(), self.references.is_some());
        Usage { def, method: method.as_ref(), given: &given, checkpoint, references }.check()?;
        let (env, _) = self.locations.open(false)?;
        // A model is read before the batch: it says how pictures become samples.
        let trained = match &self.checkpoint {
            Some(path) => Some(self.trained(path, def, &method, &registry, &env)?),
            None => None,
        };
        let Ready { data: batch, pictures } = self.batch(def, trained.as_ref())?;
        let names = pictures.as_ref().map(|(pictures, _)| pictures.names());
        let (detector, shots) = match trained {
            Some(trained) => (trained.detector, trained.shots),
            None => {
                let data = TrainingData::new(&batch, &batch.info().folds[0]);
                let method = method.resolve(batch.info(), data.fold())?;
                let ctx = FitContext { data: &data, seed: self.seed, env: &env, progress: &Silent };
                (method.fit(&ctx)?, method.shots())
            }
        };
        let found = score(detector.as_ref(), shots, &batch, &env)?;
        self.expect_maps(&found)?;
        let scores = &found.samples;
        let references = batch.info().domains[0].reference;
        // Beside references nobody asks what the batch alone looks like.
        let features = (references == 0 || self.explain).then(|| Features::new(&batch)).transpose()?;
        let alone = features.as_ref().filter(|_| references == 0);
        let along = alone.map_or(Vec::new(), |f| f.along_main_direction(&batch.info().modality));
        for warning in warnings::batch_warnings(scores, &along, references) {
            super::note(format_args!("warning: {warning}"));
        }
        output::write(&self.out, scores, names.as_deref())?;
        if let Some(dir) = &self.maps {
            let numbered = || (0..scores.len()).map(|i| format!("sample_{i:06}")).collect();
            let source = match &pictures {
                Some((pictures, geometry)) => Source::Files(&pictures.paths, geometry),
                None => Source::Batch(&batch),
            };
            let title = format!("{}: {}, highest score first", self.name(), self.input.display());
            let names = names.clone().unwrap_or_else(numbered);
            super::note(maps::write(dir, &title, &found, &names, &source)?);
        }
        if let (true, Some(features)) = (self.explain, &features) {
            let setting = match method.supervision() {
                Supervision::InBatch if self.checkpoint.is_some() => Supervision::ZeroShot,
                setting => setting,
            };
            explain::print(def.spec(), setting, batch.info(), features, scores, names.as_deref(), out)?;
        }
        Ok(Exit::Success)
    }

    /// Refuses `--maps` where the method has made none.
    fn expect_maps(&self, scores: &Scores) -> Result<(), Error> {
        if self.maps.is_none() || scores.maps.is_some() {
            return Ok(());
        }
        let hint = "drop --maps; of pictures, patchcore, padim and spade make some beside --references";
        Err(Error::Config(format!("{} makes no anomaly maps; hint: {hint}", self.name())))
    }

    fn name(&self) -> &str {
        self.method.as_deref().unwrap_or_default()
    }

    /// The error of a call without a method: it says which ones suit the batch.
    fn suggestion(&self) -> Result<Error, Error> {
        let geometry = self.pictures.settle(None)?;
        let batch = input::read(&self.input, &geometry, &self.pictures)?;
        let references = match &self.references {
            Some(path) => input::read(path, &geometry, &self.pictures)?.samples.len(),
            None => 0,
        };
        Ok(Error::Config(suggest::methods(&batch.modality, batch.samples.len(), references)))
    }

    /// The model in a file.
    fn trained(
        &self,
        path: &Path,
        def: &dyn MethodDef,
        method: &Arc<dyn Method>,
        registry: &Registry,
        env: &Environment,
    ) -> Result<Trained, Error> {
        let (detector, shots, said) = if input::is_official(path) {
            (method.import(path, env)?, method.shots(), None)
        } else {
            let model = model::load(path)?;
            if model.method != self.name() {
                let message =
                    format!("{}: a model of {}, which {} cannot use", path.display(), model.method, self.name());
                return Err(Error::Config(format!("{message}; hint: --method {}", model.method)));
            }
            model.expect_method(path, def.spec().name, def.spec().version)?;
            let configured = def.configure(&crate::library::given(&model.params));
            let own = configured.map_err(|problems| ParamProblem::error(self.name(), problems))?;
            (restore(registry, path, &model, env)?, own.shots(), model.pictures)
        };
        let pictures = input::trained_on(def.spec(), detector.as_ref(), said, path, registry);
        Ok(Trained { detector, shots, pictures })
    }

    /// The batch and its references, as the detector wants them.
    fn batch(&self, def: &dyn MethodDef, trained: Option<&Trained>) -> Result<Ready, Error> {
        let own = trained.and_then(|t| t.pictures.clone());
        let is_open = own.is_none();
        let geometry = self.pictures.settle(own)?;
        let read = |path: &PathBuf| input::read(path, &geometry, &self.pictures);
        let mut batch = read(&self.input)?;
        let mut references = self.references.as_ref().map(read).transpose()?;
        if is_open && batch.is_grey() && references.as_ref().is_none_or(Input::is_grey) {
            batch.drop_colours();
            references.iter_mut().for_each(Input::drop_colours);
        }
        for line in batch.said.iter().chain(references.iter().flat_map(|r| &r.said)) {
            super::note(line);
        }
        let Input { modality, samples, pictures, .. } = batch;
        def.spec()
            .accepts
            .check(&modality)
            .map_err(|e| Error::data(&self.input, format!("{}: {e}", self.name()), ""))?;
        let wanted = trained.and_then(|t| t.detector.input());
        if let Some(wanted) = wanted.filter(|wanted| *wanted != modality.shape()) {
            let message = format!("samples of shape {:?}, and the model was trained on {wanted:?}", modality.shape());
            let hint = "give the columns or pixels that it was trained on, in the same order";
            return Err(Error::data(&self.input, message, hint));
        }
        let pictures = pictures.map(|pictures| (pictures, geometry));
        let Some((path, references)) = self.references.as_ref().zip(references) else {
            return Ok(Ready { data: InMemory::batch(modality, samples, None)?, pictures });
        };
        if references.modality != modality {
            let (theirs, ours) = (references.modality.shape(), modality.shape());
            let message = format!("samples of shape {theirs:?} beside {ours:?} of the batch");
            return Err(Error::data(path, message, "references look like the batch"));
        }
        // A data set is in one precision.
        let single = |s: &Samples| matches!(s.values(), Values::F32(_));
        let (samples, references) = match (single(&samples), single(&references.samples)) {
            (true, true) => (samples, references.samples),
            _ => {
                let double = |s: Samples| Samples::new(s.shape().to_vec(), Values::F64(s.to_f64().into_owned()));
                (double(samples), double(references.samples))
            }
        };
        Ok(Ready { data: InMemory::batch(modality, samples, Some(references))?, pictures })
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

/// `KEY=VALUE`, the value as in YAML.
fn key_value(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    let value = serde_yaml::from_str(value).map_err(|e| e.to_string())?;
    Ok((key.trim().to_owned(), value))
}
