//! `zsad score`: one unlabelled batch, scored.

mod explain;
mod input;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;
use zsad_core::method::Silent;
use zsad_core::{
    Dataset, Device, Error, FitContext, Fitted, MethodDef, Params, Pool, SampleRef, Scores, TestBatch, file, suggest,
};

use crate::exit::Exit;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad score --method mahalanobis --input batch.npz --out scores.csv
  zsad score --method knn --param k=9 --input features.csv --out scores.csv --explain
  zsad score --method acr_dsvdd --checkpoint results/runs/quickstart/fits/KEY/model.safetensors \\
             --input batch.npz --out scores.csv

The input is one batch whose majority is normal: an .npz with `X` [n, d], [n, h, w] or [n, channels, h, w]; a .csv or
.parquet of numbers, one row a sample; or a folder of images of one size. The output has the columns index,score in
input order; higher is more anomalous. Methods without training fit on the batch itself; trained ones need --checkpoint
and take their statistics from the batch.";

/// Fewer samples than this say little about what is normal.
const SMALL: usize = 16;

/// Score a batch of your own with a trained model or a training-free method
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Score {
    /// The method
    #[arg(long, value_name = "NAME")]
    method: String,
    /// A trained model, as `zsad run` stores them
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
    /// Say what the scores rest on, and which samples stand out by what
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
        if method.trains() && self.checkpoint.is_none() {
            let hint = "give --checkpoint; `zsad run` stores models under <out>/fits/<key>/model.safetensors";
            return Err(Error::Config(format!("{} is a trained method: {hint}", self.method)).into());
        }
        let batch = input::read(&self.input)?;
        let n = batch.info().domains[0].normal;
        if n < SMALL {
            super::note(format_args!(
                "warning: {n} samples are a small batch: what is normal is estimated from them alone"
            ));
        }
        let fitted = match &self.checkpoint {
            Some(path) => method.load(path, Device::Cpu)?,
            None => method.fit(&FitContext {
                dataset: &batch,
                fold: &batch.info().folds[0],
                seed: self.seed,
                device: Device::Cpu,
                cache: None,
                progress: &Silent,
            })?,
        };
        let scores = score(fitted.as_ref(), &batch)?;
        write(&self.out, &scores.samples)?;
        if self.explain {
            explain::print(def.spec(), def.setting(&params), &batch, &scores.samples, out)?;
        }
        Ok(Exit::Well)
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
    let n = batch.info().domains[0].normal as u32;
    let refs: Vec<_> = (0..n).map(|index| SampleRef { domain: 0, pool: Pool::Normal, index }).collect();
    let scores = fitted.score(&TestBatch::new(batch, &refs, &[], None))?;
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
