//! Words and contracts of zsad: what a data set, a method, a metric, a protocol and a record are.
//!
//! Nothing here knows tensors or tables. Every other crate imports this one; this one imports none.

pub mod dataset;
pub mod error;
pub mod file;
pub mod key;
pub mod method;
pub mod metric;
pub mod params;
pub mod protocol;
pub mod record;
pub mod rng;
pub mod samples;
pub mod suggest;

pub use dataset::{
    AnomalySource, DataDir, Dataset, DatasetDef, DatasetInfo, DatasetSpec, Domain, Fold, Kind, PictureSpec, Pool,
    SampleRef,
};
pub use error::{Error, Result};
pub use method::{
    Device, FitContext, FitReport, Fitted, Method, MethodDef, MethodSpec, Needs, Progress, Setting, TestBatch,
};
pub use metric::{MetricDef, MetricInput, MetricSpec, MetricValue};
pub use params::{ParamDefault, ParamKind, ParamProblem, ParamSpec, Params};
pub use protocol::{BatchSize, Contamination, Pooling, TestPoint};
pub use samples::{Maps, Masks, Samples, Scores, Values};
