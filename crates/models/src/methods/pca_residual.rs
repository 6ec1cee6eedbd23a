//! What a sample has outside the principal subspace of its own batch.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use zsad_core::params::Both;
use zsad_core::{
    Accepts, DatasetInfo, Detector, Environment, FitContext, Fold, Given, Method, MethodDef, MethodSpec, ParamProblem,
    ParamSet, ParamSpec, Placement, Result, Shots, Supervision,
};

use crate::families::features::{Features, FewShotFeatures, FitTo};
use crate::math::Points;

mod images;
mod rows;
mod subspace;

/// The registry's entry: SubspaceAD in its batched form. The points are the patches of all images (features of a frozen network,
/// coarser layers brought to the finest one's size) or the rows of a table; mean and covariance of all of them, the principal axes
/// that hold `variance` of it, and the squared length of what a point has outside of these. One pass over the batch makes the
/// covariance, another scores it, so that memory is one covariance and the cost rises with the batch and not with its square.
///
/// As released: `{variance: 0.99, exclude_self: false, top: 0.01}`, on DINOv2 and with the mean of several layers; those
/// settings rebuild an image from itself where features are few or pooled, which is why they are not the defaults.
pub const DEF: PcaResidualDef = PcaResidualDef;

const SPEC: MethodSpec = MethodSpec {
    name: "pca_residual",
    version: 1,
    summary: "squared distance to the principal subspace of the batch's own patches or rows, the scored sample left out",
    citation: "Lendering, Akdağ, Bondarev: SubspaceAD: Training-Free Few-Shot Anomaly Detection via Subspace Modeling, CVPR 2026",
    accepts: Accepts::ANY,
};

/// On features of images.
const ON_IMAGES: Features<PcaResidual> = Features::new(&SPEC);

zsad_core::choices! {
    /// What is done to a point first.
    pub enum Normalise {
        /// Nothing.
        None = "none",
        /// It is divided by its length.
        L2 = "l2",
    }
}

impl Normalise {
    /// To every point; one of length 0 stays.
    fn applied(self, x: Points) -> Points {
        if self == Normalise::None {
            return x;
        }
        let unit = |row: &[f64]| {
            let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            let norm = if norm > 0.0 { norm } else { 1.0 };
            row.iter().map(|v| v / norm).collect::<Vec<_>>()
        };
        Points::from_values(x.rows().flat_map(unit).collect(), x.dim())
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct PcaResidual {
        /// batch: the subspace of the unlabelled test batch; references: that of normal references of the target
        pub fit: FitTo = FitTo::Batch;
        /// share of the variance that the subspace holds (0.99 as released)
        pub variance: f64 = 0.9, in 0.0..=1.0;
        /// in a batch, whether a sample is left out of the subspace that it is measured against (not so as released)
        pub exclude_self: bool = true;
        /// what is done to a patch or row first: none; l2: it is divided by its length
        pub normalise: Normalise = Normalise::None;
        /// of images, the share of the positions with the greatest residuals whose mean is the score (0.01 as released)
        pub top: f64 = 0.05, in 0.0..=1.0;
        /// of images, Gaussian smoothing of the anomaly map, in pixels; 0: none
        pub sigma: f64 = 4.0, in 0.0..=64.0;
    }
}

impl PcaResidual {
    fn shots_of(&self, selection: &FewShotFeatures) -> Shots {
        self.fit.shots(selection.shots)
    }
}

/// The entry itself: images and rows go different ways.
pub struct PcaResidualDef;

impl MethodDef for PcaResidualDef {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn params(&self) -> Vec<ParamSpec> {
        ON_IMAGES.params()
    }

    fn supervision(&self) -> Supervision {
        Supervision::InBatch
    }

    fn placement(&self) -> Placement {
        ON_IMAGES.placement()
    }

    fn configure(&self, given: &Given) -> Result<Arc<dyn Method>, Vec<ParamProblem>> {
        let on_images = ON_IMAGES.configure(given)?;
        let Both(selection, params) = Both::<FewShotFeatures, PcaResidual>::parse(given)?;
        Ok(Arc::new(Undecided { on_images, shots: params.shots_of(&selection), params }))
    }
}

/// Before it is known what the samples are.
struct Undecided {
    on_images: Arc<dyn Method>,
    shots: Shots,
    params: PcaResidual,
}

impl Undecided {
    fn on_rows(&self) -> rows::OnRows {
        rows::OnRows { params: self.params.clone(), shots: self.shots }
    }
}

impl Method for Undecided {
    fn values(&self) -> Value {
        self.on_images.values()
    }

    fn resolve(&self, info: &DatasetInfo, fold: &Fold) -> Result<Arc<dyn Method>> {
        match info.modality.image_size() {
            Some(_) => self.on_images.resolve(info, fold),
            None => Ok(Arc::new(self.on_rows())),
        }
    }

    fn learns(&self) -> bool {
        false
    }

    fn shots(&self) -> Shots {
        self.shots
    }

    /// None: rows want no network, and what images want is known once it is resolved.
    fn artifacts(&self, _: &Environment) -> Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Detector>> {
        self.resolve(ctx.data.info(), ctx.data.fold())?.fit(ctx)
    }
}
