//! `zsad batches`: the test batches of an experiment, for a method that runs elsewhere.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;

use super::{ExperimentArgs, counted, interrupt};
use crate::exchange::{draws, export};
use crate::exit::Exit;
use crate::library::Library;
use crate::plan::Wanted;
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad batches experiments/quickstart.yaml --export batches
  zsad run experiments/quickstart.yaml                          the methods to compare with
  zsad import scores.csv --as mine --into results/runs/quickstart

A draw is the test batches of one data set, protocol point and seed. `batches.csv` has a line a batch (draw, dataset, fold,
seed, batch, first, size), and `<draw>.npz` holds `X` [n, …], all samples of a draw one batch after the other, as methods
here see them, and `batch` [n], the number of each one's batch. Labels, contamination and the names of domains and files
are not among them. Images take room: the quickstart's 18 draws are 2.3 GB. Score each batch by itself:

  import csv, numpy as np
  with open('scores.csv', 'w') as f:
      out = csv.writer(f); out.writerow(['draw', 'position', 'score'])
      for draw in sorted({row['draw'] for row in csv.DictReader(open('batches/batches.csv'))}):
          data = np.load(f'batches/{draw}.npz')
          for b in np.unique(data['batch']):
              positions = np.flatnonzero(data['batch'] == b)
              x = data['X'][positions].reshape(len(positions), -1)
              for position, score in zip(positions, np.linalg.norm(x - np.median(x, 0), axis=1)):
                  out.writerow([draw, position, score])";

/// Write every test batch of an experiment, without labels, for a method that runs elsewhere
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Batches {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// The folder to write them to
    #[arg(long, value_name = "DIR")]
    export: PathBuf,
}

impl Batches {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let (experiment, _) = self.experiment.load()?;
        let (env, _) = self.experiment.locations.open(self.experiment.rehash);
        interrupt::listen(&env.stop)?;
        let library = Library::new(Registry::built_in());
        let wanted = Wanted::new(&experiment, &library, &env);
        env.digests.keep();
        if let Some((name, error)) = wanted.unusable.first() {
            return Err(anyhow::Error::new(error.clone()).context(name.clone()));
        }
        let draws = draws(&wanted);
        let (batches, samples) = export::write(draws.iter(), &library, &env, &self.export)?;
        let draws = counted(draws.len(), "draw");
        writeln!(out, "{draws}, {batches} batches, {samples} samples in {}", self.export.display())?;
        Ok(Exit::Success)
    }
}
