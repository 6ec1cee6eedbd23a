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
    /// Pixel maps `[n, height, width]` and masks (1 = anomalous) of the same shape.
    Pixels {
        /// Maps, finite.
        maps: &'a [f32],
        /// Masks of 0 and 1.
        masks: &'a [u8],
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
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

/// What the registry says of a metric.
#[derive(Debug)]
pub struct MetricSpec {
    /// Column name.
    pub name: &'static str,
    /// Bumped when numbers may change.
    pub version: u32,
    /// One line with the definition.
    pub summary: &'static str,
    /// Whether it is computed from pixels (maps and masks) rather than from samples.
    pub pixel: bool,
    /// Whether more is better.
    pub higher_is_better: bool,
}

/// A registered metric.
pub trait MetricDef: Sync {
    /// Its description.
    fn spec(&self) -> &'static MetricSpec;

    /// Its value. An input of the wrong kind is `Undefined`.
    fn compute(&self, input: MetricInput) -> MetricValue;
}
