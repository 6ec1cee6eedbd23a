//! What an unlabelled batch of scores tells about itself.
//!
//! Whoever scores a batch of their own has no labels: how many of its samples are anomalous, how good is the ranking, which
//! samples are decided, is the batch like anything that the detector was tried on? None of it is in the scores alone. But
//! batches of any size and contamination can be drawn from data *with* labels: [`Calibration::fit`] learns from such episodes
//! what the shape of a batch's scores says of its contamination and of its AUROC, and [`Calibration::judge`] says it of a new
//! batch, with intervals that are as wide as the episodes' own errors on domains they were not learnt from.

mod assess;
mod calibration;
pub mod gamma;
mod linear;
mod logistic;
mod novelty;
mod posterior;
mod queried;
mod split;
mod summary;
mod verdict;

pub use assess::{Accuracy, Assessment, Judged, assess};
pub use calibration::{Calibration, Episode, Judgement, Settings};
pub use posterior::Estimate;
pub use queried::queried_share;
pub use split::{Split, split};
pub use summary::{DETECTOR_FEATURES, quantile, standardised, summary};
pub use verdict::{Decision, Rules, Verdict, VerdictOn, decide};
