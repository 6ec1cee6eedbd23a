//! A plan: fits with their cells, and what is left to do of each.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use zsad_core::job::{CellJob, FitJob};
use zsad_core::{Error, Result};
use zsad_store::run_folder::{FileList, SavedCell};

use crate::shard::Shard;

/// An experiment spread out and compared with what is there.
pub struct Plan {
    /// Experiment name.
    pub experiment: String,
    /// Profile, or empty.
    pub profile: String,
    /// Fits in the order of the file.
    pub fits: Vec<PlannedFit>,
    /// The files behind every digest of data in them.
    pub files: BTreeMap<String, FileList>,
    /// Data sets that cannot be used, and why.
    pub unusable: Vec<(String, Error)>,
    /// Domains that are too small for a point, and what becomes of them, a line each.
    pub too_small: BTreeSet<String>,
    /// How many data sets there are.
    pub datasets: usize,
}

/// A fit and what is left to do of it.
pub struct PlannedFit {
    /// The fit with all its cells.
    pub job: FitJob,
    /// What is left to do, a cell each.
    pub states: Vec<State>,
    /// Whether it is to be run now; see [`Plan::only`].
    pub asked: bool,
}

/// What is left to do for a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Finished.
    Cached,
    /// To be run: nothing of the kind was ever run, or it failed.
    Outstanding(String),
    /// To be run, since something differs from the nearest finished record.
    Stale(String),
}

impl State {
    /// One word for machines.
    pub fn word(&self) -> &'static str {
        match self {
            State::Cached => "cached",
            State::Outstanding(_) => "outstanding",
            State::Stale(_) => "stale",
        }
    }

    /// Why it is not cached; empty where it is.
    pub fn reason(&self) -> &str {
        match self {
            State::Cached => "",
            State::Outstanding(why) | State::Stale(why) => why,
        }
    }
}

impl PlannedFit {
    /// The cells to be run.
    pub fn outstanding(&self) -> impl Iterator<Item = (&CellJob, &State)> {
        self.job.cells.iter().zip(&self.states).filter(|(_, state)| self.asked && **state != State::Cached)
    }

    /// The fit with the cells to be run; `None` where there is none.
    pub fn to_run(&self) -> Option<FitJob> {
        let cells: Vec<CellJob> = self.outstanding().map(|(cell, _)| cell.clone()).collect();
        (!cells.is_empty()).then(|| FitJob { cells, ..self.job.clone() })
    }

    /// What is left to do of the whole, and why: that of the first cell to be run.
    pub fn state(&self) -> &State {
        self.states.iter().find(|s| **s != State::Cached).unwrap_or(&State::Cached)
    }
}

impl Plan {
    /// Every cell.
    pub fn cells(&self) -> impl Iterator<Item = &CellJob> {
        self.fits.iter().flat_map(|f| &f.job.cells)
    }

    /// Every cell of the fits that are to be run now.
    pub fn asked(&self) -> impl Iterator<Item = &CellJob> {
        self.fits.iter().filter(|f| f.asked).flat_map(|f| &f.job.cells)
    }

    /// The number of cells to be run.
    pub fn outstanding(&self) -> usize {
        self.fits.iter().map(|f| f.outstanding().count()).sum()
    }

    /// Leaves the fit of this key alone to be run; the others stay what they are.
    ///
    /// # Errors
    /// [`Error::Config`] where the experiment has none.
    pub fn only(&mut self, key: &str) -> Result<()> {
        self.fits.iter_mut().for_each(|f| f.asked = f.job.key == key);
        if self.asked().next().is_none() {
            let message = format!("{} has no fit {key}; hint: `zsad plan --json` lists them", self.experiment);
            return Err(Error::Config(message));
        }
        Ok(())
    }

    /// Leaves a share of the fits to be run; the others stay what they are.
    pub fn share(&mut self, shard: Shard) {
        let own = shard.of(self.fits.iter().map(|f| (f.job.learns, f.job.method())));
        self.fits.iter_mut().zip(own).for_each(|(f, own)| f.asked = own);
    }

    /// What the folder keeps of it, so that `zsad status` knows how many cells are left.
    pub fn saved(&self) -> Vec<SavedCell> {
        let cell = |(fit, c): (&PlannedFit, &CellJob)| SavedCell {
            cell_key: c.key.clone(),
            dataset: c.asked.dataset.clone(),
            method: c.method().to_owned(),
            fit_key: fit.job.key.clone(),
        };
        self.fits.iter().flat_map(|fit| fit.job.cells.iter().map(move |c| (fit, c))).map(cell).collect()
    }

    /// As JSON for other programs.
    pub fn to_json(&self) -> Value {
        let cell = |(c, s): (&CellJob, &State)| json!({"cell_key": c.key, "point": c.id.point, "status": s.word(), "reason": s.reason()});
        let fit = |f: &PlannedFit| {
            json!({
                "fit_key": f.job.key,
                "dataset": f.job.cells.first().map_or(&f.job.id.data.name, |c| &c.asked.dataset),
                "method": f.job.method(),
                "method_name": f.job.id.method.name,
                "fold": f.job.id.fold,
                "seed": f.job.id.seed,
                "params": f.job.id.method.params,
                "status": f.state().word(),
                "reason": f.state().reason(),
                "cells": f.job.cells.iter().zip(&f.states).map(cell).collect::<Vec<_>>(),
            })
        };
        json!({ "fits": self.fits.iter().map(fit).collect::<Vec<_>>() })
    }
}
