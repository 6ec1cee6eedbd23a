//! What can be named in an experiment.

use zsad_core::{DatasetDef, Error, Given, Level, MethodDef, PictureGeometry, Result, TestPoint, suggest};
use zsad_metrics::Metric;

use crate::analyses::{ANALYSES, AnalysisDef};

/// The data sets, methods and metrics that a run may use. Tests plant their own.
#[derive(Clone, Copy)]
pub struct Registry {
    /// Data sets.
    pub datasets: &'static [&'static DatasetDef],
    /// Methods.
    pub methods: &'static [&'static dyn MethodDef],
    /// Metrics.
    pub metrics: &'static [&'static Metric],
    /// Analyses.
    pub analyses: &'static [&'static dyn AnalysisDef],
}

impl Registry {
    /// Everything that the program comes with.
    pub fn built_in() -> Registry {
        let (datasets, methods) = (zsad_data::DATASETS, zsad_models::METHODS);
        Registry { datasets, methods, metrics: zsad_metrics::METRICS, analyses: ANALYSES }
    }

    /// The metrics that every run measures.
    pub fn measured(&self) -> Vec<&'static Metric> {
        self.metrics.iter().copied().filter(|m| !m.spec.on_request).collect()
    }

    /// The metrics that a run measures at a point.
    pub fn measured_at(&self, point: &TestPoint) -> Vec<&'static Metric> {
        let of_rest = |m: &&Metric| point.labels.is_some() && m.spec.level == Level::Rest;
        self.metrics.iter().copied().filter(|m| !m.spec.on_request || of_rest(m)).collect()
    }

    /// The data set called `name`.
    pub fn dataset(&self, name: &str) -> Option<&'static DatasetDef> {
        self.datasets.iter().copied().find(|d| d.spec().name == name)
    }

    /// The method called `name`.
    pub fn method(&self, name: &str) -> Option<&'static dyn MethodDef> {
        self.methods.iter().copied().find(|m| m.spec().name == name)
    }

    /// The metric called `name`.
    pub fn metric(&self, name: &str) -> Option<&'static Metric> {
        self.metrics.iter().copied().find(|m| m.spec.name == name)
    }

    /// The analysis called `name`.
    pub fn analysis(&self, name: &str) -> Option<&'static dyn AnalysisDef> {
        self.analyses.iter().copied().find(|a| a.spec().name == name)
    }

    /// Names of the analyses, in the registry's order.
    pub fn analysis_names(&self) -> Vec<&'static str> {
        self.analyses.iter().map(|a| a.spec().name).collect()
    }

    /// The analysis called `name`.
    ///
    /// # Errors
    /// [`Error::Config`] with the nearest known name.
    pub fn expect_analysis(&self, name: &str) -> Result<&'static dyn AnalysisDef> {
        self.analysis(name).ok_or_else(|| unknown("analysis", name, &self.analysis_names()))
    }

    /// The method called `name`.
    ///
    /// # Errors
    /// [`Error::Config`] with the nearest known name.
    pub fn expect_method(&self, name: &str) -> Result<&'static dyn MethodDef> {
        self.method(name).ok_or_else(|| unknown("method", name, &self.method_names()))
    }

    /// The data set called `name`.
    ///
    /// # Errors
    /// [`Error::Config`] with the nearest known name.
    pub fn expect_dataset(&self, name: &str) -> Result<&'static DatasetDef> {
        self.dataset(name).ok_or_else(|| unknown("data set", name, &self.dataset_names()))
    }

    /// Names of the data sets, in the registry's order.
    pub fn dataset_names(&self) -> Vec<&'static str> {
        self.datasets.iter().map(|d| d.spec().name).collect()
    }

    /// Names of the methods, in the registry's order.
    pub fn method_names(&self) -> Vec<&'static str> {
        self.methods.iter().map(|m| m.spec().name).collect()
    }

    /// How pictures become samples of the data sets with their default parameters, in the registry's order.
    pub fn default_images(&self) -> impl Iterator<Item = PictureGeometry> {
        self.datasets.iter().filter_map(|d| d.configure(&Given::new()).ok()?.image())
    }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Error {
    Error::Config(format!("unknown {what} `{name}`; hint: {}", suggest::hint(name, known)))
}
