//! What can be named in an experiment.

use zsad_core::{DatasetDef, MethodDef, MetricDef};

/// The data sets, methods and metrics that a run may use. Tests plant their own.
#[derive(Clone, Copy)]
pub struct Registry {
    /// Data sets.
    pub datasets: &'static [&'static dyn DatasetDef],
    /// Methods.
    pub methods: &'static [&'static dyn MethodDef],
    /// Metrics.
    pub metrics: &'static [&'static dyn MetricDef],
}

impl Registry {
    /// Everything that the program comes with.
    pub const BUILT_IN: Registry =
        Registry { datasets: zsad_data::DATASETS, methods: zsad_models::METHODS, metrics: zsad_metrics::METRICS };

    /// The data set called `name`.
    pub fn dataset(&self, name: &str) -> Option<&'static dyn DatasetDef> {
        self.datasets.iter().copied().find(|d| d.spec().name == name)
    }

    /// The method called `name`.
    pub fn method(&self, name: &str) -> Option<&'static dyn MethodDef> {
        self.methods.iter().copied().find(|m| m.spec().name == name)
    }

    /// The metric called `name`.
    pub fn metric(&self, name: &str) -> Option<&'static dyn MetricDef> {
        self.metrics.iter().copied().find(|m| m.spec().name == name)
    }

    /// Names of the data sets, in the registry's order.
    pub fn dataset_names(&self) -> Vec<&'static str> {
        self.datasets.iter().map(|d| d.spec().name).collect()
    }

    /// Names of the methods, in the registry's order.
    pub fn method_names(&self) -> Vec<&'static str> {
        self.methods.iter().map(|m| m.spec().name).collect()
    }
}
