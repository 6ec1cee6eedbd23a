//! Parameters of ResAD, and those that it shares with ResAD++.

use zsad_core::params::{All, Word};
use zsad_core::{Choice, OrWord};
use zsad_data::synthetic::Defect;
use zsad_nn::optim::AdamConfig;

use super::constraintor::Convolution;
use super::likelihood::Peak;
use super::objective::Constraint;
use super::residual::Residual;
use crate::families::features::Summed;

zsad_core::choices! {
    /// What is summed over layers.
    pub enum MapScore {
        /// 1 − p.
        Probability = "probability",
        /// − log p.
        NegativeLog = "negative_log",
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct ResAd {
        /// signed: the difference to the nearest reference; squared: its elements squared; none: the feature itself
        pub residual: Residual = Residual::Signed;
        /// positions of an image that the flow of a layer is trained on
        pub positions: OrWord<All> = OrWord::default(), in 1..;
        /// what is summed over layers: 1 − p (Eq. 7), or − log p, which tells far anomalies apart
        pub score: MapScore = MapScore::Probability;
        /// what p is relative to, and at most: training: the greatest likelihood of a normal in the last epoch; quantile:
        /// that which 95 % of them stay below; target_batch: the greatest of the test batch (as released)
        pub peak: Peak = Peak::Training;
        /// the constraintor's loss
        pub constraint: Constraint = Constraint::default();
        /// constraintor, flow and training
        pub flow: FlowParams = FlowParams::default();
        /// from layers to maps and scores
        pub summed: Summed = Summed::default();
    }
}

/// The word for twice a perceptron's input.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Twice;

impl Word for Twice {
    const WORD: &'static str = "twice";
}

zsad_core::choices! {
    /// When the learning rate falls.
    pub enum Schedule {
        /// After shares of the mini-batches.
        Shares = "shares",
        /// After numbers of epochs.
        Epochs = "epochs",
    }
}

zsad_core::choices! {
    /// Which anomalies are trained on.
    pub enum TrainAnomalies {
        /// Those of the meta-train domains that have masks.
        Real = "real",
        /// None.
        None = "none",
        /// See [`Defect::CutPaste`].
        CutPaste = "cutpaste",
        /// See [`Defect::Scar`].
        Scar = "scar",
        /// See [`Defect::Poisson`].
        Poisson = "poisson",
        /// See [`Defect::Mixed`].
        Mixed = "mixed",
    }
}

zsad_core::params! {
    /// What ResAD and ResAD++ share: constraintor, flow and training.
    pub struct FlowParams {
        /// the convolution before batch norm and ReLU; none: no constraintor at all
        pub constraintor: Convolution = Convolution::Conv3x3;
        /// coupling layers of a flow (8 in the paper, 10 as released)
        pub couplings: usize = 8, in 1..;
        /// values of the position embedding, a multiple of 4 (256 in the paper and as released: perceptrons of several
        /// times the size)
        pub condition: usize = 64, in 4..=4096;
        /// width of the couplings' perceptrons; twice: twice their input
        pub hidden: OrWord<Twice> = OrWord::default(), in 1..;
        /// bound of the logarithm of a coupling's factor
        pub clamp: f64 = 1.9, in 0.0..=10.0;
        /// margin between the normal and the anomalous boundary
        pub tau: f64 = 0.1, in 0.0..;
        /// weight of the boundary loss
        pub lambda: f64 = 1.0, in 0.0..;
        /// share of normals outside the normal boundary
        pub quantile: f64 = 0.05, in 0.0..=0.5;
        /// passes over the training images (100 in the paper, of 5,354 images; about 60 as released)
        pub epochs: u64 = 10, in 1..;
        /// images in a mini-batch (32 in the paper and as released)
        pub batch: usize = 8, in 1..;
        /// Adam's learning rate at first (1e-5 in the paper, for 17,000 mini-batches, and as released)
        pub lr: f64 = 1e-3, in 0.0..;
        /// when the learning rate is divided by ten: shares: after 70 and 90 % of the mini-batches; epochs: after 70 and 90
        /// epochs, so that a shorter training never slows down (as released)
        pub schedule: Schedule = Schedule::Shares;
        /// L2 penalty, added to the gradient
        pub weight_decay: f64 = 5e-4, in 0.0..;
        /// a training image is not among its own references (it may be, as released)
        pub exclude_query: bool = true;
        /// train on the normals of the meta-train domains' test subsets, too, as the paper does
        pub all_normals: bool = true;
        /// real: the anomalies of the meta-train domains, as published; none: normals alone; cutpaste, scar, poisson, mixed:
        /// synthetic defects of that kind in their place, one in every normal test picture
        pub anomalies: TrainAnomalies = TrainAnomalies::Real;
    }
}

impl FlowParams {
    /// Refuses what makes no sense together.
    pub(crate) fn check(&self) -> Result<(), String> {
        let condition = self.condition;
        if condition.is_multiple_of(4) { Ok(()) } else { Err(format!("condition {condition} is no multiple of 4")) }
    }

    /// The kind of synthetic defects that are trained on, if any.
    pub(crate) fn synthetic(&self) -> Option<Defect> {
        // Every kind's word is one of the choices.
        Defect::from_word(self.anomalies.word())
    }

    /// The learning rate after `step` of `steps` mini-batches, in epoch number `epoch` from 0.
    pub(crate) fn learning_rate(&self, step: u64, steps: u64, epoch: u64) -> f64 {
        let passed = |tenths: &u64| match self.schedule {
            Schedule::Shares => step * 10 >= tenths * steps,
            Schedule::Epochs => epoch >= 10 * tenths,
        };
        self.lr * 0.1f64.powi([7, 9].iter().filter(|&tenths| passed(tenths)).count() as i32)
    }

    /// Options of Adam.
    pub(crate) fn adam(&self) -> AdamConfig {
        AdamConfig { weight_decay: self.weight_decay, ..AdamConfig::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[70, 90], gamma=0.1), one step an epoch
    #[test]
    fn by_epochs_the_rate_falls_after_70_and_90_of_them_and_by_shares_in_every_training() {
        let rate = |schedule, step, epoch| {
            let params = FlowParams { lr: 1.0, schedule, ..FlowParams::default() };
            (1.0 / params.learning_rate(step, 100, epoch)).round()
        };
        let epochs = [59, 69, 70, 89, 90].map(|epoch| rate(Schedule::Epochs, 99, epoch));
        assert_eq!(epochs, [1.0, 1.0, 10.0, 10.0, 100.0]);
        let shares = [69, 70, 89, 90].map(|step| rate(Schedule::Shares, step, 0));
        assert_eq!(shares, [1.0, 10.0, 10.0, 100.0]);
    }
}
