//! The axis `labels` of the test protocol: how many labels a person gives of every test batch, and of which samples.

use std::fmt;

use serde::{Deserialize, Serialize};

crate::choices! {
    /// Which samples of a batch are labelled.
    pub enum Query {
        /// Any: the control that every other way has to beat.
        Random = "random",
        /// Those with the highest scores.
        Positive = "positive",
        /// Those whose scores are nearest to the least that would be called anomalous at the protocol's contamination.
        Margin = "margin",
        /// Those that lie far from each other, the first one in the middle.
        KDiverse = "k_diverse",
    }
}

/// Labels of a test batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Budget {
    /// How many, 1 at least.
    pub labels: usize,
    /// Of which samples.
    pub query: Query,
}

impl fmt::Display for Budget {
    /// As results write it behind the name of a method.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "labels={}, query={}", self.labels, self.query)
    }
}
