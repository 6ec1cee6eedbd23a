//! `zsad compare`: whether methods of a run differ, and what that allows one to conclude.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_core::MetricSpec;
use zsad_report::compare::{Question, compare};

use super::table::{Format, metric, print_as};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad compare results/runs/quickstart
  zsad compare quickstart --ours acr_dsvdd             mine against every other; Holm counts these pairs alone
  zsad compare sweep --methods kde,knn --metric aupr
  zsad compare sweep --json > compare.json

The unit is a domain: batches of one domain and seeds on the same data are not independent, and counting them gives
p-values that are far too small. With few domains nothing can be significant, and that is said.";

/// Compare methods over domains: paired differences, intervals, signed-rank tests, mean ranks
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Compare {
    /// The folder of a run, or a run's name under results/runs or results/published
    #[arg(value_name = "DIR|NAME")]
    what: PathBuf,
    /// These methods alone, by name or label
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    methods: Vec<String>,
    /// This method with each of the others, and not those among themselves
    #[arg(long, value_name = "NAME")]
    ours: Option<String>,
    /// The metric; `zsad list metrics` names them
    #[arg(long, value_name = "NAME", default_value = "auroc", value_parser = metric)]
    metric: &'static MetricSpec,
    /// Differences up to so many points are none in practice
    #[arg(long, value_name = "POINTS", default_value_t = 1.0, value_parser = points)]
    rope: f64,
    /// As JSON, differences as shares
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// The format; csv and parquet hold one line a pair, and the path of the latter is printed
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
}

fn points(text: &str) -> Result<f64, String> {
    let found = text.parse().ok().filter(|points| (0.0..=100.0).contains(points));
    found.ok_or_else(|| "want points from 0 to 100".into())
}

impl Compare {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let dir = super::run_folder(&self.what)?;
        let rows = zsad_store::read_results(&dir)?;
        let rope = self.rope / 100.0;
        let question = Question { metric: self.metric, methods: self.methods, ours: self.ours, rope };
        let found = compare(&rows, &question)?;
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?;
            return Ok(Exit::Success);
        }
        print_as(&found, self.format, &dir.join("compare.parquet"), out)
    }
}
