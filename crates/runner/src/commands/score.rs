//! `zsad score`: one unlabelled batch, scored.

mod assumption;
mod explain;
mod features;
mod input;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;
use zsad_core::method::Silent;
use zsad_core::{
    DataDir, Dataset, Device, Error, FitContext, Fitted, MethodDef, MethodSpec, Params, Pool, SampleRef, Samples,
    Scores, Setting, TestBatch, Values, file, suggest,
};
use zsad_data::memory::InMemory;

use crate::execute::applies;
use crate::exit::Exit;
use crate::registry::Registry;
use features::Features;

const EXAMPLES: &str = "\
Examples:
  zsad score --method mahalanobis --input batch.npz --out scores.csv
  zsad score --method knn --param k=9 --input features.csv --out scores.csv --explain
  zsad score --method acr_dsvdd --checkpoint results/runs/quickstart/fits/KEY/model.safetensors \\
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
    /// Where <DIR>/weights/ of frozen networks lies [default: $ZSAD_DATA, else data/]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Say what the scores rest on: the batch's statistics, and which samples stand out by what
    #[arg(long)]
    explain: bool,
}

impl Score {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let def = Registry::BUILT_IN.method(&self.method).ok_or_else(|| {
            let hint = suggest::hint(&self.method, Registry::BUILT_IN.method_names());
            Error::Config(format!("unknown method `{}`; {hint}", self.method))
        })?;
        let params = self.validated(def)?;
        let method = def.build(&params)?;
        self.fits_usage(def, &params, method.trains())?;
        zsad_nn::backbones::set_data_folder(&DataDir::resolve(self.data.clone()).path);
        // A model is read before the batch: it says how pictures become samples.
        let trained = self.checkpoint.as_ref().map(|path| method.load(path, Device::Cpu)).transpose()?;
        let batch = self.batch(def.spec(), trained.as_deref())?;
        let fitted = match trained {
            Some(trained) => trained,
            None => method.fit(&FitContext {
                dataset: &batch,
                fold: &batch.info().folds[0],
                seed: self.seed,
                device: Device::Cpu,
                cache: None,
                progress: &Silent,
            })?,
        };
        let scores = score(fitted.as_ref(), &batch)?.samples;
        let features = Features::new(&batch)?;
        for doubt in assumption::doubts(&scores, &features.along_main_direction(&batch.info().kind)) {
            super::note(format_args!("warning: {doubt}"));
        }
        write(&self.out, &scores)?;
        if self.explain {
            let setting = match def.setting(&params) {
                Setting::InBatch if self.checkpoint.is_some() => Setting::ZeroShot,
                setting => setting,
            };
            explain::print(def.spec(), setting, batch.info(), &features, &scores, out)?;
        }
        Ok(Exit::Well)
    }

    /// Whether the options that were given go together.
    fn fits_usage(&self, def: &dyn MethodDef, params: &Params, trains: bool) -> Result<(), Error> {
        let name = &self.method;
        if trains && self.checkpoint.is_none() {
            let hint = "give --checkpoint; `zsad run` stores models under <out>/fits/<key>/model.safetensors";
            return Err(Error::Config(format!("{name} is a trained method: {hint}")));
        }
        if def.shots(params) > 0 && self.references.is_none() {
            let hint = "give some with --references";
            return Err(Error::Config(format!("{name} compares with normal references of the target: {hint}")));
        }
        if def.shots(params) == 0 && self.references.is_some() {
            return Err(Error::Config(format!("{name} looks at the batch alone: drop --references")));
        }
        if self.checkpoint.is_some() && !self.params.is_empty() {
            super::note("warning: --param has no effect on a trained model, which keeps its own parameters");
        }
        Ok(())
    }

    /// The batch and its references, as the detector wants them.
    fn batch(&self, spec: &MethodSpec, trained: Option<&dyn Fitted>) -> Result<InMemory, Error> {
        let pictures = input::pictures(spec, trained, self.checkpoint.as_deref());
        let (kind, samples) = input::read(&self.input, pictures.as_ref())?;
        applies(spec, &kind).map_err(|e| Error::data(&self.input, format!("{}: {e}", self.method), ""))?;
        if let Some(wanted) = trained.and_then(Fitted::input).filter(|wanted| *wanted != kind.shape()) {
            let message = format!("samples of shape {:?}, and the model was trained on {wanted:?}", kind.shape());
            let remedy = "give the columns or pixels that it was trained on, in the same order";
            return Err(Error::data(&self.input, message, remedy));
        }
        let Some(path) = &self.references else { return InMemory::batch(kind, samples, None) };
        let (their_kind, references) = input::read(path, pictures.as_ref())?;
        if their_kind != kind {
            let message = format!("samples of shape {:?} beside {:?} of the batch", their_kind.shape(), kind.shape());
            return Err(Error::data(path, message, "references look like the batch"));
        }
        // A data set is in one precision.
        let double = |s: Samples| Samples::new(s.shape().to_vec(), Values::F64(s.to_f64().into_owned()));
        InMemory::batch(kind, double(samples), Some(double(references)))
    }

    fn validated(&self, def: &dyn MethodDef) -> Result<Params, Error> {
        let given: BTreeMap<String, Value> = self.params.iter().cloned().collect();
        Params::validate(def.spec().params, &given).map_err(|problems| {
            let lines: Vec<_> =
                problems.iter().map(|p| format!("{}: {} ({})", self.method, p.message, p.hint)).collect();
            Error::Config(lines.join("\n"))
        })
    }
}

/// The scores of all samples as one batch, all finite.
fn score(fitted: &dyn Fitted, batch: &dyn Dataset) -> Result<Scores, Error> {
    let domain = &batch.info().domains[0];
    let pool = |pool: Pool| (0..domain.size(pool) as u32).map(move |index| SampleRef { domain: 0, pool, index });
    let (refs, references) = (pool(Pool::Normal).collect::<Vec<_>>(), pool(Pool::Reference).collect::<Vec<_>>());
    let scores = fitted.score(&TestBatch::new(batch, &refs, &references, None))?;
    match scores.samples.iter().position(|s| !s.is_finite()) {
        Some(i) => Err(Error::failed(format!("the score of sample {i} is {}", scores.samples[i]))),
        None => Ok(scores),
    }
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
