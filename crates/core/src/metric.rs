//! What a metric is.

/// What a metric is computed from. Scores: higher is more anomalous; labels: `true` is anomalous.
#[derive(Debug, Clone, Copy)]
pub enum MetricInput<'a> {
    /// One score and one label a sample.
    Samples {
        /// Scores, finite.
        scores: &'a [f64],
        /// Labels, as many.
        labels: &'a [bool],
    },
    /// The same of samples that were not labelled, where labels of a batch are given.
    Rest {
        /// Scores, finite.
        scores: &'a [f64],
        /// Labels, as many.
        labels: &'a [bool],
    },
    /// Maps `[n, shape…]` and masks (1 = anomalous) of the same shape.
    Maps {
        /// Maps, finite.
        maps: &'a [f32],
        /// Masks of 0 and 1.
        masks: &'a [u8],
        /// Shape of one map.
        shape: &'a [usize],
    },
}

/// A metric's outcome: undefined cases are typed, never a silent 0.5 or NaN.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricValue {
    /// A finite value.
    Defined(f64),
    /// Why there is none, such as `only one class`.
    Undefined(&'static str),
}

impl MetricValue {
    /// The value, if defined.
    pub fn value(&self) -> Option<f64> {
        match self {
            MetricValue::Defined(v) => Some(*v),
            MetricValue::Undefined(_) => None,
        }
    }
}

/// What a metric looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// One score a sample.
    Sample,
    /// Maps and masks of images.
    Pixel,
    /// One score a sample that was not labelled, where labels of a batch are given.
    Rest,
}

/// What the registry says of a metric. Its values lie between 0 and 1 and are printed in per cent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricSpec {
    /// Column name.
    pub name: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// Bumped when numbers may change.
    pub version: u32,
    /// One line with the definition.
    pub summary: &'static str,
    /// What it is computed from.
    pub level: Level,
    /// Whether more is better.
    pub higher_is_better: bool,
    /// Whether a table shows it where nothing was asked for: `auroc` always, the others where they were measured.
    pub headline: bool,
    /// Whether it is measured only where it is asked for (`zsad metrics --append`), or where labels are given.
    pub on_request: bool,
}

impl MetricSpec {
    /// A metric of samples in its first version, of which more is better.
    pub const SAMPLE: MetricSpec = MetricSpec {
        name: "",
        label: "",
        version: 1,
        summary: "",
        level: Level::Sample,
        higher_is_better: true,
        headline: false,
        on_request: false,
    };
    /// The same of pixels.
    pub const PIXEL: MetricSpec = MetricSpec { level: Level::Pixel, ..MetricSpec::SAMPLE };

    /// `name@version`, as records list their metrics.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}
