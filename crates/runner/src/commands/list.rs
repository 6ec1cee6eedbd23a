//! `zsad list`: what can be named in an experiment.

use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};
use zsad_core::{DatasetDef, Level, MethodDef, MetricSpec, ParamDefault, ParamKind, ParamSpec};

use crate::analyses::AnalysisDef;
use crate::exit::Exit;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad list methods
  zsad list datasets --json
  zsad list analyses";

/// List methods, data sets, metrics or analyses
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
    Analyses,
}

impl List {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let registry = Registry::built_in();
        let items: Vec<Value> = match self.what {
            What::Methods => registry.methods.iter().map(|m| method(*m)).collect(),
            What::Datasets => registry.datasets.iter().map(|d| dataset(d)).collect(),
            What::Metrics => registry.metrics.iter().map(|m| metric(&m.spec)).collect(),
            What::Analyses => registry.analyses.iter().map(|a| analysis(*a)).collect(),
        };
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&items)?)?;
            return Ok(Exit::Success);
        }
        for item in &items {
            let text = |key: &str| item[key].as_str().unwrap_or_default();
            writeln!(out, "{:<22} {:<10} {}", text("name"), text("setting"), text("summary"))?;
        }
        Ok(Exit::Success)
    }
}

fn method(def: &dyn MethodDef) -> Value {
    let mut about = json!(def.spec());
    about["setting"] = json!(def.supervision());
    about["params"] = params(&def.params());
    about
}

fn dataset(def: &DatasetDef) -> Value {
    let mut about = json!(def.spec());
    about["params"] = params(&def.params());
    about
}

fn analysis(def: &dyn AnalysisDef) -> Value {
    let mut about = json!(def.spec());
    about["params"] = params(&def.params());
    about
}

fn metric(spec: &MetricSpec) -> Value {
    json!({
        "name": spec.name,
        "label": spec.label,
        "version": spec.version,
        "summary": spec.summary,
        "pixel": spec.level == Level::Pixel,
        "higher_is_better": spec.higher_is_better,
    })
}

fn params(specs: &[ParamSpec]) -> Value {
    let of = |p: &ParamSpec| {
        json!({
            "name": p.name,
            "type": p.kind.to_string(),
            "choices": match p.kind {
                ParamKind::Choice(words) => Some(words),
                _ => None,
            },
            "default": p.default.to_json(),
            "required": p.default == ParamDefault::Required,
            "doc": p.doc,
        })
    };
    specs.iter().map(of).collect()
}
