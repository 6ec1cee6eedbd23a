//! Words and contracts of zsad: what a data set, a method, a metric, a protocol and a job are.
//!
//! Nothing here knows tensors or tables. Every other crate imports this one; this one imports none.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "fixtures may be written in any way"))]

pub mod batch;
pub mod budget;
pub mod data_file;
pub mod dataset;
pub mod detector;
pub mod digest;
pub mod env;
pub mod error;
pub mod file;
pub mod job;
pub mod key;
pub mod metric;
pub mod modality;
pub mod operator;
pub mod panics;
pub mod params;
pub mod picture;
pub mod preprocessing;
pub mod protocol;
pub mod rng;
pub mod sample;
pub mod shift;
pub mod simd;
pub mod standardise;
pub mod state;
pub mod stop;
pub mod suggest;
pub mod tags;
pub mod winograd;

pub use batch::{AbnormalReferences, Batch, LabelledBatch, SampleId, SampleSource, TrainingData, Unlabelled};
pub use budget::{Budget, Query};
pub use data_file::{DataFile, ReadBy};
pub use dataset::{AnomalySource, Dataset, DatasetDef, DatasetInfo, DatasetSpec, Domain, Fold, Load, Source};
pub use detector::{
    Codes, Detector, FitContext, FitReport, Method, MethodDef, MethodSpec, Progress, Shots, Silent, Supervision,
};
pub use env::{DataDir, Device, Environment};
pub use error::{Error, Result};
pub use metric::{Level, MetricInput, MetricSpec, MetricValue};
pub use modality::{Accepts, Modality};
pub use operator::{Implementation, Operator, Operators, Placement};
pub use params::{Choice, Given, OrWord, ParamDefault, ParamKind, ParamProblem, ParamSet, ParamSpec, Required, Word};
pub use picture::{Aspect, Filter, Fit, PictureGeometry};
pub use preprocessing::{Layout, Missing, Moments, Preprocessing, Scaling};
pub use protocol::{AbnormalShots, BatchSize, Contamination, Pooling, TestPoint, TooSmall};
pub use sample::{Maps, Masks, SampleRef, Samples, Scores, Subset, Values};
pub use shift::Shift;
pub use simd::Simd;
pub use standardise::Standardise;
pub use state::{Array, Arrays, State};
pub use stop::Stop;
pub use tags::{TagValues, Tags};
