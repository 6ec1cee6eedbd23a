//! `zsad describe`: everything about one method, data set or metric.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_core::{
    DataDir, DatasetDef, DatasetInfo, Error, Given, Level, MethodDef, MetricSpec, ParamDefault, ParamSpec, suggest,
};

use crate::analyses::AnalysisDef;
use crate::exit::Exit;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad describe acr_dsvdd
  zsad describe mnist --data ~/data        also its domains, where the data are there
  zsad describe auroc
  zsad describe drop";

/// Describe a method, a data set, a metric or an analysis: definition, source, parameters with defaults
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Describe {
    /// Its name, as in `zsad list`
    #[arg(value_name = "NAME")]
    name: String,
    /// Where the data lie [default: $ZSAD_DATA, else data/]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Describe {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let registry = Registry::built_in();
        if let Some(def) = registry.method(&self.name) {
            return method(def, out);
        }
        if let Some(def) = registry.dataset(&self.name) {
            return dataset(def, &DataDir::resolve(self.data), out);
        }
        if let Some(def) = registry.metric(&self.name) {
            return metric(&def.spec, out);
        }
        if let Some(def) = registry.analysis(&self.name) {
            return analysis(def, out);
        }
        let others = registry.metrics.iter().map(|m| m.spec.name).chain(registry.analysis_names());
        let names: Vec<_> = registry.method_names().into_iter().chain(registry.dataset_names()).chain(others).collect();
        Err(Error::Config(format!("nothing is called `{}`; hint: {}", self.name, suggest::hint(&self.name, names)))
            .into())
    }
}

fn method(def: &dyn MethodDef, out: &mut impl Write) -> Result<Exit> {
    let spec = def.spec();
    writeln!(out, "method {} (version {}, setting {})", spec.name, spec.version, def.supervision())?;
    writeln!(out, "{}\n{}", spec.summary, spec.citation)?;
    let kinds = [(spec.accepts.image, "images"), (spec.accepts.tabular, "rows and features")];
    let kinds: Vec<_> = kinds.iter().filter(|(accepted, _)| *accepted).map(|(_, what)| *what).collect();
    writeln!(out, "takes: {}", kinds.join(", "))?;
    if let Some(control) = def.control() {
        writeln!(out, "control, which it has to beat: {control}")?;
    }
    for line in def.placement().describe() {
        writeln!(out, "{line}")?;
    }
    params(&def.params(), out)?;
    if !def.guide().is_empty() {
        writeln!(out, "\n{}", def.guide().trim_end())?;
    }
    Ok(Exit::Success)
}

fn analysis(def: &dyn AnalysisDef, out: &mut impl Write) -> Result<Exit> {
    let spec = def.spec();
    writeln!(out, "analysis {} (version {})\n{}\n{}", spec.name, spec.version, spec.summary, spec.citation)?;
    params(&def.params(), out)
}

fn metric(spec: &MetricSpec, out: &mut impl Write) -> Result<Exit> {
    let (level, better) = (
        if spec.level == Level::Pixel { "pixel" } else { "sample" },
        if spec.higher_is_better { "higher" } else { "lower" },
    );
    writeln!(
        out,
        "metric {} (version {}): {level} level, {better} is better\n{}",
        spec.name, spec.version, spec.summary
    )?;
    Ok(Exit::Success)
}

fn dataset(def: &DatasetDef, dir: &DataDir, out: &mut impl Write) -> Result<Exit> {
    let spec = def.spec();
    writeln!(out, "data set {} (version {})\n{}\n{}", spec.name, spec.version, spec.summary, spec.citation)?;
    if !spec.files.is_empty() {
        writeln!(out, "files under {} ({}): {}", dir.path.display(), dir.chosen_by, spec.files)?;
    }
    let specs = def.params();
    params(&specs, out)?;
    if let Some(missing) = specs.iter().find(|p| p.default == ParamDefault::Required) {
        writeln!(out, "domains: they depend on the parameter `{}`", missing.name)?;
        return Ok(Exit::Success);
    }
    // Without required parameters the defaults are valid: a test of the data sets says so.
    let opened = def.configure(&Given::new()).ok().map(|source| source.open(dir));
    match opened {
        Some(Ok(opened)) => domains(opened.info(), out),
        Some(Err(e)) => {
            writeln!(out, "domains: not known without the data: {e}")?;
            Ok(Exit::Success)
        }
        None => Ok(Exit::Success),
    }
}

/// Folds and domains, with how many normals and anomalies each has.
fn domains(info: &DatasetInfo, out: &mut impl Write) -> Result<Exit> {
    writeln!(
        out,
        "samples: {:?}, anomalies of a test batch: {}",
        info.modality.shape(),
        match info.anomalies {
            zsad_core::AnomalySource::OtherDomains => "other meta-test domains",
            zsad_core::AnomalySource::Genuine => "the domain's genuine anomalies",
        }
    )?;
    for (name, fact) in &info.notes {
        writeln!(out, "{name}: {fact}")?;
    }
    for fold in &info.folds {
        if !fold.name.is_empty() {
            writeln!(out, "fold {}", fold.name)?;
        }
        for (role, members) in [("meta_train", &fold.meta_train), ("meta_test", &fold.meta_test)] {
            let named = |&d: &usize| {
                let d = &info.domains[d];
                let anomalous = if d.anomalous > 0 { format!(" + {}", d.anomalous) } else { String::new() };
                format!("{} ({}{anomalous})", d.name, d.normal)
            };
            let shown: Vec<_> = members.iter().map(named).collect();
            writeln!(out, "{role}: {} domains: {}", members.len(), shown.join(", "))?;
        }
    }
    Ok(Exit::Success)
}

fn params(specs: &[ParamSpec], out: &mut impl Write) -> Result<Exit> {
    writeln!(out, "{}", if specs.is_empty() { "no parameters" } else { "parameters:" })?;
    for p in specs {
        let default = match &p.default {
            ParamDefault::Required => "required".into(),
            ParamDefault::Auto => "default: auto".into(),
            given @ ParamDefault::Value(_) => format!("default: {}", given.to_json()),
        };
        writeln!(out, "  {:<20} {} ({default})\n  {:<20} {}", p.name, p.kind, "", p.doc)?;
    }
    Ok(Exit::Success)
}
