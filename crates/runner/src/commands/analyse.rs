//! `zsad analyse`: what can be made of the stored scores of a run, without scoring anything again.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use zsad_core::{Error, Given, ParamProblem};
use zsad_store::{CellRecord, RunFolder};

use super::{Locations, launch, outcome, score};
use crate::analyses::{Cells, OwnTags};
use crate::config::{AnalysisChoice, Experiment};
use crate::executor::fit::Bench;
use crate::exit::Exit;
use crate::library::Library;
use crate::registry::Registry;
use crate::results;

const EXAMPLES: &str = "\
Examples:
  zsad analyse results/runs/shift_digits                the analyses that its experiment names
  zsad analyse shift_digits drop                        this one, with its defaults where the experiment has none
  zsad analyse shift_digits drop --param fpr=0.01
  zsad list analyses && zsad describe drop              what there is, and every parameter

An experiment names them under `analyses:`, as it names methods, and `zsad run` makes them after its cells; a finished run
to which one is added scores nothing again. What was made of the same cells before is kept: a second call computes nothing.
They write analyses/NAME.csv (everything) and NAME.md (to read) into the run's folder, batches.parquet (a line a batch) and
metrics.parquet (numbers that are no columns of the results). Tags of samples come from the data set, or from a CSV file:
datasets: [{name: mvtec, tags: severity.csv}], with the columns domain, sample (a name such as crack/012, or crack/*) and one
a tag; no method ever sees them.";

/// Make analyses of a finished run from its stored scores
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Analyse {
    /// The folder of a run, or a run's name under results/runs
    #[arg(value_name = "DIR|NAME")]
    what: PathBuf,
    /// Analyses, by their names or by what the experiment calls them [default: those of the experiment]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// A parameter of the analysis, where one is named; may be repeated
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = score::key_value)]
    params: Vec<(String, Value)>,
    #[command(flatten)]
    locations: Locations,
}

impl Analyse {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let folder = RunFolder::new(super::run_folder(&self.what)?);
        // Folders of earlier versions do not hold their experiment.
        let experiment = folder.experiment().exists().then(|| launch::experiment_of(&folder)).transpose()?;
        let registry = &Registry::built_in();
        let asked = self.asked(experiment.as_ref(), registry)?;
        if asked.is_empty() {
            let names = registry.analysis_names().join(", ");
            let hint = format!("name one: {names}");
            return Err(Error::Config(format!("the experiment names no analysis; hint: {hint}")).into());
        }
        let shown = zsad_store::read_results(folder.root())?;
        let shown: std::collections::BTreeSet<&str> = shown.iter().map(|row| row.record.cell_key.as_str()).collect();
        let records: BTreeMap<String, CellRecord> = folder.records()?;
        let records = records.values().filter(|r| shown.contains(r.cell_key.as_str()));
        let rows = results::rows_of(records, registry, &folder)?;
        if rows.is_empty() {
            let hint = "published results keep no scores; run the experiment";
            return Err(Error::data(folder.root(), "no records here, and so no stored scores", hint).into());
        }
        folder.prepare()?;
        let (env, store) = self.locations.open(false);
        let library = Library::new(Registry::built_in());
        let bench = Bench {
            registry,
            library: &library,
            env: &env,
            folder: &folder,
            store: &store,
            checkpoint_every: Duration::MAX,
        };
        let own = experiment.as_ref().map(own_tags).unwrap_or_default();
        let name = experiment.as_ref().map_or_else(|| folder.root().display().to_string(), |e| e.name.clone());
        let all_well = outcome::analyse(&asked, &Cells::new(&rows, own, bench), &name)?;
        for choice in &asked {
            let page = folder.root().join("analyses").join(format!("{}.md", choice.label));
            if let Ok(text) = std::fs::read_to_string(&page) {
                writeln!(out, "{text}\n{}\n", page.display())?;
            }
        }
        Ok(if all_well { Exit::Success } else { Exit::SomeFailed })
    }

    /// Those that are named; of the experiment where it has them, with parameters that are given here on top.
    fn asked(&self, experiment: Option<&Experiment>, registry: &Registry) -> Result<Vec<AnalysisChoice>> {
        let of_experiment = experiment.map(|e| e.analyses.as_slice()).unwrap_or_default();
        if self.names.is_empty() {
            if !self.params.is_empty() {
                return Err(Error::Config("--param is for one analysis; hint: name it".into()).into());
            }
            return Ok(of_experiment.to_vec());
        }
        if !self.params.is_empty() && self.names.len() > 1 {
            return Err(Error::Config("--param is for one analysis; hint: call once for each".into()).into());
        }
        let mut asked = Vec::new();
        for name in &self.names {
            let known = of_experiment.iter().find(|a| a.label == *name);
            let def = known.map_or_else(|| registry.expect_analysis(name), |a| Ok(a.def))?;
            let mut given: Given = known.map(|a| crate::library::given(&a.analysis.values)).unwrap_or_default();
            given.extend(self.params.iter().cloned());
            let analysis = def.configure(&given).map_err(|problems| ParamProblem::error(name, problems))?;
            asked.push(AnalysisChoice { def, analysis, label: name.clone() });
        }
        Ok(asked)
    }
}

/// A person's own tags, by what results call the data set.
pub fn own_tags(experiment: &Experiment) -> OwnTags {
    experiment.datasets.iter().filter_map(|d| Some((d.label.clone(), d.tags.clone()?))).collect()
}
