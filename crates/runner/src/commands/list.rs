//! `zsad list`: what can be named in an experiment.

use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};
use zsad_core::{ParamDefault, ParamSpec};

use crate::exit::Exit;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad list methods
  zsad list datasets --json";

/// List methods, data sets or metrics
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct List {
    /// What to list
    #[arg(value_enum, value_name = "WHAT")]
    what: What,
    /// As JSON, with parameters
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    Methods,
    Datasets,
    Metrics,
}

impl List {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let registry = Registry::BUILT_IN;
        let items: Vec<Value> = match self.what {
            What::Methods => registry.methods.iter().map(|m| method(m.spec())).collect(),
            What::Datasets => registry.datasets.iter().map(|d| dataset(d.spec())).collect(),
            What::Metrics => registry.metrics.iter().map(|m| metric(m.spec())).collect(),
        };
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&items)?)?;
            return Ok(Exit::Well);
        }
        for item in &items {
            let text = |key: &str| item[key].as_str().unwrap_or_default();
            writeln!(out, "{:<22} {:<10} {}", text("name"), text("setting"), text("summary"))?;
        }
        Ok(Exit::Well)
    }
}

fn method(spec: &zsad_core::MethodSpec) -> Value {
    json!({
        "name": spec.name,
        "version": spec.version,
        "summary": spec.summary,
        "citation": spec.citation,
        "setting": spec.setting,
        "needs": {
            "image": spec.needs.image,
            "tabular": spec.needs.tabular,
            "masks": spec.needs.masks,
            "references": spec.needs.references,
        },
        "params": params(spec.params),
    })
}

fn dataset(spec: &zsad_core::DatasetSpec) -> Value {
    json!({
        "name": spec.name,
        "version": spec.version,
        "summary": spec.summary,
        "citation": spec.citation,
        "files": spec.files,
        "params": params(spec.params),
    })
}

fn metric(spec: &zsad_core::MetricSpec) -> Value {
    json!({
        "name": spec.name,
        "version": spec.version,
        "summary": spec.summary,
        "pixel": spec.pixel,
        "higher_is_better": spec.higher_is_better,
    })
}

fn params(specs: &[ParamSpec]) -> Vec<Value> {
    let of = |p: &ParamSpec| {
        json!({
            "name": p.name,
            "type": p.kind.to_string(),
            "default": p.default.to_json(),
            "required": p.default == ParamDefault::Required,
            "doc": p.doc,
        })
    };
    specs.iter().map(of).collect()
}
