//! What runs leave: records, scores, result tables, trained models, leases, provenance.
//!
//! The folder of a run and the store of trained models are two places: a run's folder belongs to one experiment, the
//! store is shared by all of them.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "fixtures may be written in any way"))]

pub mod cluster_folder;
pub mod findings;
pub mod frame;
pub mod json;
pub mod lease;
pub mod model;
pub mod model_store;
pub mod numbers;
pub mod provenance;
pub mod record;
pub mod results;
pub mod run_folder;
pub mod scores;

pub use cluster_folder::{ClusterFolder, Submission};
pub use findings::{Finding, Oddity};
pub use frame::{Field, to_csv, to_parquet};
pub use lease::Lease;
pub use model_store::ModelStore;
pub use numbers::{BatchNumbers, BatchPlace, CellNumber};
pub use record::{CellRecord, DomainResult, FitRecord, MetricRecord, Row, SCHEMA, Status};
pub use results::{read_results, write_results};
pub use run_folder::RunFolder;
pub use scores::{Facts, Scored};
