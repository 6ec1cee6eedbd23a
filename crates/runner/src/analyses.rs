//! Analyses: what is made of the stored scores of a run, after its cells.
//!
//! An analysis is one file with a struct of parameters that implements [`Analysis`], and one line in [`ANALYSES`]: its key in
//! experiments, its help, its files and its cache follow from it.

mod cells;
mod contamination;
mod drop;
mod evidence;
mod explanation;
mod found;
mod keep;
mod kinds;
mod labels;
mod page;
mod rejection;
mod severity;
mod shift_test;
mod slices;
pub mod tables;
mod trust;

use std::ops::Deref;
use std::sync::Arc;

use serde_json::Value;
use zsad_core::{Given, ParamProblem, ParamSet, ParamSpec, Result};

pub use cells::{Cell, Cells, Labelled, OwnTags};
pub use keep::{State, run};
pub use page::{Entry, Output, Section, Table};

/// All analyses, sorted by name.
pub const ANALYSES: &[&dyn AnalysisDef] = &[
    &contamination::DEF,
    &drop::DEF,
    &evidence::DEF,
    &explanation::DEF,
    &kinds::DEF,
    &labels::DEF,
    &rejection::DEF,
    &severity::DEF,
    &shift_test::DEF,
    &slices::DEF,
    &trust::DEF,
];

/// What the registry says of an analysis.
#[derive(Debug, serde::Serialize)]
pub struct AnalysisSpec {
    /// Name in experiments, and of its files.
    pub name: &'static str,
    /// Bumped when numbers may change.
    pub version: u32,
    /// One line.
    pub summary: &'static str,
    /// Paper.
    pub citation: &'static str,
}

/// What an analysis cannot do without.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Tags of samples.
    pub tags: Vec<String>,
    /// Clean and shifted cells.
    pub shift: bool,
    /// Cells that were scored with labels of their batches.
    pub labels: bool,
}

/// An analysis with its parameters.
pub trait Analysis: Send + Sync {
    /// What it cannot do without.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// What it makes of finished cells.
    ///
    /// # Errors
    /// Where scores cannot be read, or it does not apply to any cell, saying why.
    fn run(&self, cells: &Cells) -> Result<Output>;
}

/// A registered analysis.
pub trait AnalysisDef: Sync {
    /// Its description.
    fn spec(&self) -> &'static AnalysisSpec;

    /// Its parameters.
    fn params(&self) -> Vec<ParamSpec>;

    /// Configures it.
    ///
    /// # Errors
    /// All mistakes in `given` at once.
    fn configure(&self, given: &Given) -> Result<Arc<Configured>, Vec<ParamProblem>>;
}

/// An analysis, configured.
pub struct Configured {
    /// Every parameter with its value.
    pub values: Value,
    analysis: Box<dyn Analysis>,
}

impl Deref for Configured {
    type Target = dyn Analysis;

    fn deref(&self) -> &Self::Target {
        self.analysis.as_ref()
    }
}

/// The registry's entry of an analysis whose parameters are `P`.
pub struct Registered<P> {
    spec: &'static AnalysisSpec,
    params: std::marker::PhantomData<fn() -> P>,
}

impl<P> Registered<P> {
    /// The entry.
    pub const fn new(spec: &'static AnalysisSpec) -> Self {
        Registered { spec, params: std::marker::PhantomData }
    }
}

impl<P: Analysis + ParamSet> AnalysisDef for Registered<P> {
    fn spec(&self) -> &'static AnalysisSpec {
        self.spec
    }

    fn params(&self) -> Vec<ParamSpec> {
        P::specs()
    }

    fn configure(&self, given: &Given) -> Result<Arc<Configured>, Vec<ParamProblem>> {
        let params = P::parse(given)?;
        Ok(Arc::new(Configured { values: params.values(), analysis: Box::new(params) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn analyses_are_sorted_and_take_their_defaults() {
        let names: Vec<&str> = ANALYSES.iter().map(|a| a.spec().name).collect();
        assert!(names.is_sorted());
        for def in ANALYSES {
            let required = def.params().iter().any(|p| p.default == zsad_core::ParamDefault::Required);
            assert!(required || def.configure(&Given::new()).is_ok(), "{}", def.spec().name);
        }
    }
}
