//! Its parameters.

use crate::methods::resad::params::FlowParams;
use crate::methods::resad::residual::{Matching, Residual};

zsad_core::choices! {
    /// What the nearest reference is nearest by.
    pub enum Nearest {
        /// The cosine.
        Cosine = "cosine",
        /// The Euclidean distance.
        L2 = "l2",
    }
}

zsad_core::choices! {
    /// What is kept of the difference to it.
    pub enum Difference {
        /// Its elements squared.
        Squared = "squared",
        /// All of it.
        Signed = "signed",
    }
}

zsad_core::choices! {
    /// What p is relative to.
    pub enum Reference {
        /// The most likely position of the test batch.
        Transductive = "transductive",
        /// That of training.
        Inductive = "inductive",
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct ResAdPp {
        /// what the nearest reference is nearest by (l2 in the paper)
        pub matching: Nearest = Nearest::Cosine;
        /// squared: the elements of the difference to the nearest reference squared; signed: the difference (paper)
        pub residual: Difference = Difference::Squared;
        /// codes of a layer's codebook of normal residuals; 0: none (paper)
        pub codes: usize = 1536, in 0..;
        /// weight of the codebook's loss
        pub commitment: f64 = 0.25, in 0.0..;
        /// how far test residuals are drawn to their codes; 0: not
        pub alignment: f64 = 0.6, in 0.0..=1.0;
        /// greatest outer radius of the normals' shell
        pub radius: f64 = 0.4, in 0.0..;
        /// share of the old boundary in the new one
        pub boundary_momentum: f64 = 0.9, in 0.0..=1.0;
        /// first epochs, which see normals alone (10 as released)
        pub normal_epochs: u64 = 2, in 0..;
        /// positions of a mini-batch that the flow takes in one update
        pub flow_batch: usize = 8192, in 1..;
        /// leave out the last positions that do not fill a flow batch (true as released, whereby the flow of a layer of
        /// 14 × 14 positions is never trained)
        pub flow_drop_last: bool = false;
        /// p is relative to the most likely position of the test batch (as released), or of training
        pub score: Reference = Reference::Transductive;
        /// constraintor, flow and training
        pub flow: FlowParams = FlowParams { couplings: 10, ..FlowParams::default() };
        /// Gaussian smoothing of the anomaly map, in pixels; 0: none
        pub sigma: f64 = 4.0, in 0.0..=64.0;
    }
}

impl ResAdPp {
    /// How residuals are taken.
    pub(super) fn matching(&self) -> Matching {
        let residual = match self.residual {
            Difference::Squared => Residual::Squared,
            Difference::Signed => Residual::Signed,
        };
        Matching { residual, cosine: self.matching == Nearest::Cosine }
    }
}
