//! What the filters of a page know of a part of it: attributes with the names of their controls.

use std::fmt::Display;

use zsad_core::{Contamination, Shift, Supervision};

use crate::grid::Point;

/// Where a part of the page belongs; what it does not say, no filter hides it for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Place {
    pub run: Option<String>,
    pub dataset: Option<String>,
    pub batch_size: Option<String>,
    pub contamination: Option<String>,
    pub shift: Option<String>,
    pub setting: Option<Supervision>,
    pub method: Option<String>,
}

impl Place {
    /// A data set of a run.
    pub fn of_dataset(run: &Option<String>, dataset: &str) -> Place {
        Place { run: run.clone(), dataset: Some(dataset.to_owned()), ..Place::default() }
    }

    /// A protocol point.
    pub fn of_point(run: &Option<String>, point: &Point) -> Place {
        let (batch_size, contamination) = (Some(point.size.to_column()), Some(contamination(point.contamination)));
        let shift = Some(Shift::to_column(point.shift));
        Place { batch_size, contamination, shift, ..Place::of_dataset(run, &point.dataset) }
    }

    /// The same of one method.
    pub fn with_method(self, setting: Supervision, label: &str) -> Place {
        Place { setting: Some(setting), method: Some(label.to_owned()), ..self }
    }

    /// As attributes.
    pub fn attributes(&self) -> Vec<(&'static str, &dyn Display)> {
        let mut all: Vec<(&'static str, &dyn Display)> = Vec::new();
        if let Some(method) = &self.method {
            all.push(("data-method", method));
        }
        if let Some(setting) = &self.setting {
            all.push(("data-setting", setting));
        }
        let others = [
            ("data-dataset", &self.dataset),
            ("data-batch-size", &self.batch_size),
            ("data-contamination", &self.contamination),
            ("data-shift", &self.shift),
            ("data-run", &self.run),
        ];
        all.extend(others.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()? as &dyn Display))));
        all
    }

    /// As attributes, after others.
    pub fn with<'a>(&'a self, others: &[(&'static str, &'a dyn Display)]) -> Vec<(&'static str, &'a dyn Display)> {
        others.iter().copied().chain(self.attributes()).collect()
    }
}

/// A contamination as results write it: a share, or `natural`.
pub(crate) fn contamination(contamination: Contamination) -> String {
    contamination.ratio().map_or_else(|| contamination.to_string(), |r| r.to_string())
}
